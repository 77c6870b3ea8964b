"""The events or the body that a node sends: each must be a JSON object."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.node_errors.documents import raise_error
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import JSONError, loads_repaired, with_exact_numbers

__all__ = ["MAX_HELD_BYTES", "read_object", "read_reply", "text_or_blank", "without_answer"]

#: The most bytes of one reply that are held back: the arguments of calls, a collected body.
MAX_HELD_BYTES = 64 * 1024 * 1024


def read_object(payload: bytes, what: str = "an event") -> dict[str, Any]:
    """The object of an event. Raises StreamBroken if it is not an object, NodeError if it is an
    error; ``what`` it is said to be."""
    try:
        document = loads_repaired(payload)
    except JSONError:
        raise StreamBroken(f"sent {what} that is not JSON") from None
    if not isinstance(document, dict):
        raise StreamBroken(f"sent {what} that is not an object")
    raise_error(document, payload)
    return document


def read_reply(body: bytes) -> dict[str, Any]:
    """The same of a whole reply, with whole numbers of any size exact: arguments of calls are parts
    of it."""
    document: dict[str, Any] = with_exact_numbers(read_object(body, "a reply"), body)
    return document


def without_answer(why: str) -> StreamBroken:
    """The error for a valid document, or a whole stream, that is not an answer: often of another
    service, or in another protocol."""
    return StreamBroken(
        f"sent a reply without an answer: {why}; try again, and if it happens again, check url and"
        " speaks of the node in the configuration, and look into its log"
    )


def text_or_blank(value: Any) -> str:
    return value if isinstance(value, str) else ""
