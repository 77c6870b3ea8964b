"""A message that came as one document, as the events for which the client asked."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.events import without_answer
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps, dumps_stream
from casedesk_proxy.wire.sse import named_frame

__all__ = ["unfold_message"]

#: Fields of the message that only its end has.
_LATE = ("stop_reason", "stop_sequence", "stop_details", "container", "context_management")
#: The deltas of each kind of block, in the order in which the API sends them: a delta's type, its
#: field, and the field of the block. Other blocks come whole when they begin.
_DELTAS = {
    "text": (("text_delta", "text", "text"),),
    "thinking": (
        ("thinking_delta", "thinking", "thinking"),
        ("signature_delta", "signature", "signature"),
    ),
    "tool_use": (("input_json_delta", "partial_json", "input"),),
    "server_tool_use": (("input_json_delta", "partial_json", "input"),),
}


def unfold_message(document: dict[str, Any]) -> bytes:
    """Each block begins empty, gets its content in one delta of each kind, and ends; fields that
    have no delta are in its beginning. Raises StreamBroken if this is not a message, or not a
    complete one."""
    content = document.get("content")
    if document.get("type") != "message" or not isinstance(content, list):
        raise without_answer("it is not a message")
    if not document.get("stop_reason"):
        raise StreamBroken("ended before it was complete", its="reply")
    usage = document.get("usage")
    begun = document | {"content": []} | {name: None for name in _LATE if name in document}
    if isinstance(usage, dict):
        begun["usage"] = usage | {"output_tokens": 0}
    frames = [_event("message_start", message=begun)]
    for index, block in enumerate(content):
        if not isinstance(block, dict):
            raise StreamBroken("sent a malformed content block")
        frames += _block_events(index, block)
    delta = {name: document.get(name) for name in ("stop_reason", "stop_sequence")}
    delta |= {name: document[name] for name in _LATE if name in document}
    counts = usage if isinstance(usage, dict) else {"output_tokens": 0}
    frames += (_event("message_delta", delta=delta, usage=counts), _event("message_stop"))
    return b"".join(frames)


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    deltas = []
    begun = dict(block)
    for kind, name, field in _DELTAS.get(str(block.get("type")), ()):
        value = block.get(field)
        if not value:
            continue
        begun[field] = {} if isinstance(value, dict) else ""
        said = value if isinstance(value, str) else dumps(value).decode()
        deltas.append({"type": kind, name: said})
    citations = begun.get("citations")
    if isinstance(citations, list):
        begun["citations"] = []
        deltas += ({"type": "citations_delta", "citation": one} for one in citations)
    return [
        _event("content_block_start", index=index, content_block=begun),
        *(_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        _event("content_block_stop", index=index),
    ]


def _event(kind: str, **content: Any) -> bytes:
    return named_frame(kind.encode(), dumps_stream({"type": kind, **content}))
