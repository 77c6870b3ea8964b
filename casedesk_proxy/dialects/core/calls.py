"""Tool calls of a reply, assembled from the pieces in which a node sends them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import JSONError, TooDeep, dumps, is_deeper, loads_exact

__all__ = ["ToolCall", "in_order", "read_arguments", "write_arguments"]

#: Levels of a call's arguments; together with the levels around them they can still be serialised.
_MAX_DEPTH = 200


class ToolCall:
    """One tool call as its pieces arrive. ``id`` and ``name`` are "" until they are known."""

    __slots__ = ("id", "index", "name", "pieces")

    def __init__(self, index: int, ident: str = "", name: str = "") -> None:
        self.index = index
        self.id = ident
        self.name = name
        self.pieces: list[str] = []

    def arguments(self) -> dict[str, Any] | None:
        return read_arguments("".join(self.pieces))


def in_order(calls: Iterable[ToolCall]) -> list[ToolCall]:
    """By index, and by arrival for equal indexes. Ids that occur twice are made unique (TGI's are
    all "0"); missing ids stay empty."""
    ordered = sorted(calls, key=lambda call: call.index)
    seen: set[str] = set()
    for call in ordered:
        if call.id in seen:
            call.id = ""
        seen.add(call.id)
    return ordered


def read_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments, {} if there are none; None if they are not a JSON object, or are nested
    too deeply to be passed on."""
    if not text.strip():
        return {}
    try:
        value = loads_exact(text.encode("utf-8", "replace"))
    except JSONError:
        return None
    if value is None:
        return {}
    return value if isinstance(value, dict) and not is_deeper(value, _MAX_DEPTH) else None


def write_arguments(value: Any) -> str:
    """Arguments that a node sent as an object, as the usual text."""
    try:
        return dumps(value).decode()
    except TooDeep:
        raise StreamBroken("sent a tool call that is nested too deeply") from None
