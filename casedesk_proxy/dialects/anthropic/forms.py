"""Anthropic's two forms of a reply: events as they are generated, or one message at the end."""

from __future__ import annotations

from typing import Any, Protocol

from casedesk_proxy.dialects.core.block_sequencer import TEXT, THINKING, TOOL_USE
from casedesk_proxy.dialects.core.calls import read_arguments
from casedesk_proxy.dialects.core.ids import make_token
from casedesk_proxy.dialects.core.pending import PendingBytes
from casedesk_proxy.jsonio import dumps_stream, loads
from casedesk_proxy.terms import Position
from casedesk_proxy.wire.sse import named_frame

__all__ = ["TEXT", "THINKING", "TOOL_USE", "EventForm", "MessageForm", "ReplyForm"]


_PING = named_frame(b"ping", b'{"type":"ping"}')
_BLOCK_STOP = named_frame(b"content_block_stop", b'{"type":"content_block_stop","index":%d}')
_MESSAGE_STOP = named_frame(b"message_stop", b'{"type":"message_stop"}')
_BLANK_BLOCKS: dict[str, dict[str, Any]] = {
    THINKING: {"type": "thinking", "thinking": "", "signature": ""},
    TEXT: {"type": "text", "text": ""},
    TOOL_USE: {"type": "tool_use"},
}
#: Prepared as bytes, since one is sent for every token.
_DELTA_HEADS = {
    kind: b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%%d,"delta":{"type":"%b","%b":' % names
    for kind, names in {
        THINKING: (b"thinking_delta", b"thinking"),
        TEXT: (b"text_delta", b"text"),
        TOOL_USE: (b"input_json_delta", b"partial_json"),
    }.items()
}


class ReplyForm(Protocol):
    """Takes a reply block by block, never two at once.

    ``take`` returns the bytes that are due to the client so far, ``close`` the rest. ``add`` takes
    text, thoughts or, inside a tool's block, pieces of JSON. ``more`` takes text as a JSON string
    that is valid on a stream's line, and returns the bytes that are due. ``stop`` gets whether an
    incomplete tool block is kept.
    """

    content_type: str

    def begin(self, ident: str, model: str, counts: dict[str, Any]) -> None: ...

    def start(self, kind: str, ident: str = "", name: str = "") -> None: ...

    def add(self, text: str) -> None: ...

    def more(self, text: bytes) -> bytes: ...

    def stop(self, *, keep: bool = True) -> None: ...

    def end(self, reason: str, sequence: str | None, counts: dict[str, Any]) -> None: ...

    def take(self) -> bytes: ...

    def close(self) -> bytes: ...

    def ping(self) -> bytes: ...

    def halt(self) -> tuple[bytes, Position]: ...


class EventForm(PendingBytes):
    """Server-sent events. Clients ignore events without a name (anthropic 2.14.0)."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, request_id: str) -> None:
        super().__init__()
        self._signature = make_token(f"{request_id}/signature")
        self._index = -1
        self._kind = ""
        self._head = b""

    def begin(self, ident: str, model: str, counts: dict[str, Any]) -> None:
        self._event("message_start", {"message": _message(ident, model, [], counts)})

    def start(self, kind: str, ident: str = "", name: str = "") -> None:
        self._index += 1
        self._kind = kind
        self._head = _DELTA_HEADS[kind] % self._index
        block = dict(_BLANK_BLOCKS[kind])
        if kind is TOOL_USE:
            block |= {"id": ident, "name": name, "input": {}}
        self._event("content_block_start", {"index": self._index, "content_block": block})

    def add(self, text: str) -> None:
        if text:
            self._out.append(self._head + dumps_stream(text) + b"}}\n\n")

    def more(self, text: bytes) -> bytes:
        return self._head + text + b"}}\n\n"

    def stop(self, *, keep: bool = True) -> None:
        if self._kind is THINKING:
            # Clients do not send back thinking without a signature.
            signed = {"type": "signature_delta", "signature": self._signature}
            self._event("content_block_delta", {"index": self._index, "delta": signed})
        self._out.append(_BLOCK_STOP % self._index)

    def end(self, reason: str, sequence: str | None, counts: dict[str, Any]) -> None:
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        self._event("message_delta", {"delta": delta, "usage": counts})
        self._out.append(_MESSAGE_STOP)

    def close(self) -> bytes:
        return self.take()

    def ping(self) -> bytes:
        return self.take() + _PING

    def halt(self) -> tuple[bytes, Position]:
        return self.take(), Position.BETWEEN

    def _event(self, name: str, content: dict[str, Any]) -> None:
        self._out.append(named_frame(name.encode(), dumps_stream({"type": name} | content)))


class MessageForm:
    """One JSON body, sent at the end: nothing is sent of a reply that breaks."""

    content_type = "application/json"

    def __init__(self, request_id: str) -> None:
        self._signature = make_token(f"{request_id}/signature")
        self._message: dict[str, Any] = {}
        self._content: list[dict[str, Any]] = []
        self._pieces: list[str] = []

    def begin(self, ident: str, model: str, counts: dict[str, Any]) -> None:
        self._message = _message(ident, model, self._content, counts)

    def start(self, kind: str, ident: str = "", name: str = "") -> None:
        block = dict(_BLANK_BLOCKS[kind])
        if kind is TOOL_USE:
            block |= {"id": ident, "name": name}
        self._content.append(block)
        self._pieces = []

    def add(self, text: str) -> None:
        self._pieces.append(text)

    def more(self, text: bytes) -> bytes:
        self._pieces.append(loads(text))
        return b""

    def stop(self, *, keep: bool = True) -> None:
        block = self._content[-1]
        text = "".join(self._pieces)
        if not keep:
            self._content.pop()
        elif block["type"] == TOOL_USE:
            block["input"] = _input(text)
        else:
            block[block["type"]] = text
            if block["type"] == THINKING:
                block["signature"] = self._signature

    def end(self, reason: str, sequence: str | None, counts: dict[str, Any]) -> None:
        usage = self._message["usage"] | counts
        self._message |= {"stop_reason": reason, "stop_sequence": sequence, "usage": usage}

    def take(self) -> bytes:
        return b""

    def close(self) -> bytes:
        return dumps_stream(self._message)

    def ping(self) -> bytes:
        """None: a blank would already send the status, so that a failure could no longer be
        reported."""
        return b""

    def halt(self) -> tuple[bytes, Position]:
        return b"", Position.INSIDE


def _message(
    ident: str, model: str, content: list[dict[str, Any]], counts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": counts,
    }


def _input(text: str) -> Any:
    """Arguments; {} for arguments that the limit of tokens cut, which ``stop_reason`` then
    shows."""
    return read_arguments(text) or {}
