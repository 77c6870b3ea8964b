"""The last chunk of a candidate: its calls, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.calls import ToolCall, in_order
from casedesk_proxy.dialects.core.reply import Finish, ReplyChoice

__all__ = ["call_parts", "finish_fields"]

_REASONS = {
    Finish.STOP: "STOP",
    Finish.STOP_SEQUENCE: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.FILTER: "SAFETY",
    Finish.REFUSAL: "SAFETY",
    # Finish reasons for which Google has no name.
    Finish.REPETITION: "OTHER",
    Finish.PAUSE: "OTHER",
}


def call_parts(
    choice: ReplyChoice, names: Mapping[str, str], request_id: str
) -> list[dict[str, Any] | None]:
    """None for a call that is broken. ``names`` maps the node's function names to the client's;
    ``request_id`` makes the ids that a node left out."""
    return [
        _call_part(call, names, "" if choice.legacy else call.id or f"{request_id}-{call.index}")
        for call in in_order(choice.calls)
    ]


def _call_part(call: ToolCall, names: Mapping[str, str], ident: str) -> dict[str, Any] | None:
    arguments = call.arguments()
    if arguments is None or not call.name:
        return None
    function = {"name": names.get(call.name, call.name), "args": arguments}
    return {"functionCall": {"id": ident, **function} if ident else function}


def finish_fields(choice: ReplyChoice, *, broken: bool) -> dict[str, Any]:
    """``broken``: a call was broken."""
    assert choice.finish is not None, "an answer ends only when all of its choices have ended"
    reason = _REASONS[choice.finish]
    if broken and reason != "MAX_TOKENS":
        message = "The model called a function with arguments that are not valid JSON."
        return {"finishMessage": message, "finishReason": "MALFORMED_FUNCTION_CALL"}
    if choice.refused:
        return {"finishReason": "SAFETY"}
    if choice.finish is Finish.REFUSAL:
        return {"finishMessage": "The model refused to answer.", "finishReason": reason}
    return {"finishReason": reason}
