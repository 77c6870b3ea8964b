"""Reads a Messages reply: a stream of events, or the one body of a node that ignores ``stream``.

Blocks may overlap and end late (llama-server, recorded), so each event is assigned by its index.
"""

from __future__ import annotations

from typing import Any, Generic

from casedesk_proxy.dialects.core.calls import MAX_CALLS, ToolCall, write_arguments
from casedesk_proxy.dialects.core.events import (
    MAX_HELD_BYTES,
    read_object,
    text_or_blank,
    without_answer,
)
from casedesk_proxy.dialects.core.reply import ChoiceT, Finish, ReplyWriter
from casedesk_proxy.dialects.node_errors.documents import status_of
from casedesk_proxy.errors import NodeError, StreamBroken
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.jsonio import read_count, with_exact_numbers
from casedesk_proxy.terms import Usage
from casedesk_proxy.wire.sse import Event

__all__ = ["MessagesReader", "delta_template"]

_FINISH = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "tool_use": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
    "pause_turn": Finish.PAUSE,
    "compaction": Finish.PAUSE,
}
_COUNTS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
)


def delta_template() -> TextTemplate:
    return TextTemplate(b"text", _text_of)


def _text_of(document: Any) -> Any:
    return document["delta"]["text"]


class MessagesReader(Generic[ChoiceT]):
    """See ``reply.ReplyReader``. ``thoughts``: whether thoughts are read; they are skipped if the
    client is not shown them."""

    __slots__ = (
        "_calls",
        "_choice",
        "_counts",
        "_finish",
        "_held",
        "_left_out",
        "_stopped",
        "_thoughts",
        "_writer",
        "ended",
    )

    def __init__(self, writer: ReplyWriter[ChoiceT], *, thoughts: bool = False) -> None:
        self.ended = False
        self._writer = writer
        self._thoughts = thoughts
        self._choice: ChoiceT | None = None
        self._calls: dict[int, ToolCall] = {}
        self._held = 0
        #: Indexes of blocks that mean nothing to the client, such as a server's own tool calls.
        self._left_out: set[int] = set()
        self._counts: dict[str, int] = {}
        self._finish: Finish | None = None
        self._stopped = False

    @property
    def usage(self) -> Usage:
        document = self._counts
        inputs = [document[name] for name in _COUNTS[:3] if name in document]
        return Usage(
            read_count(sum(inputs)) if inputs else None,
            document.get("output_tokens"),
            document.get("cache_read_input_tokens"),
            document.get("thinking_tokens"),
        )

    def take(self, event: Event, learns: bool) -> ChoiceT | None:
        name, payload = event
        document = read_object(payload)
        kind = document.get("type")
        if name == b"error" or kind == "error":
            raise NodeError(status_of(document), payload)
        if kind == "content_block_delta":
            delta = document.get("delta")
            if not isinstance(delta, dict):
                return None
            if delta.get("type") == "text_delta":  # a token
                return self._choice if self._say(delta.get("text")) and learns else None
            self._take_delta(_index(document), delta)
        elif kind == "content_block_start":
            # It may contain a call's whole input.
            block = with_exact_numbers(document, payload).get("content_block")
            if isinstance(block, dict):
                self._take_block(_index(document), block)
        elif kind == "message_start":
            message = document.get("message")
            if isinstance(message, dict):
                self._begin(message)
        elif kind == "message_delta":
            self._take_counts(document.get("usage"))
            delta = document.get("delta")
            self._take_stop(delta.get("stop_reason") if isinstance(delta, dict) else None)
        elif kind == "message_stop":
            self._stopped = True
            self.end()
        return None

    def take_body(self, document: dict[str, Any]) -> None:
        content = document.get("content")
        if document.get("type") != "message" or not isinstance(content, list):
            raise without_answer("it is not a message")
        self._begin(document)
        for at, block in enumerate(content):
            if not isinstance(block, dict):
                raise StreamBroken("sent a malformed content block")
            self._take_block(at, block)
        self._take_stop(document.get("stop_reason"))
        self._stopped = True

    def end(self) -> None:
        if self._finish is None or not self._stopped:
            raise StreamBroken("ended before it was complete", its="reply")
        choice = self._speaker()
        choice.finish = self._finish
        self._writer.finish(choice)
        choice.calls = list(self._calls.values())
        self._writer.end([choice], self.usage)
        self.ended = True

    def _begin(self, message: dict[str, Any]) -> None:
        self._take_counts(message.get("usage"))
        ident = message.get("id")
        self._writer.begin(message.get("model"), ident, self.usage, answers=True)
        self._speaker()

    def _take_counts(self, usage: Any) -> None:
        """The counts are cumulative; a later event may repeat some of them, or report only the
        output."""
        if not isinstance(usage, dict):
            return
        for name in _COUNTS:
            self._put_count(name, usage.get(name))
        details = usage.get("output_tokens_details")
        if isinstance(details, dict):
            self._put_count("thinking_tokens", details.get("thinking_tokens"))

    def _put_count(self, name: str, value: Any) -> None:
        count = read_count(value)
        if count is not None:
            self._counts[name] = count

    def _take_stop(self, reason: Any) -> None:
        """Raises StreamBroken for a reason that is not Anthropic's: the model did not finish."""
        if not reason:
            return
        if not isinstance(reason, str) or reason not in _FINISH:
            raise StreamBroken("stopped before its answer was complete")
        self._finish = _FINISH[reason]

    def _take_block(self, index: int, block: dict[str, Any]) -> None:
        kind = block.get("type")
        if kind == "tool_use":
            if len(self._calls) >= MAX_CALLS:
                raise StreamBroken("sent too many tool calls")
            ident, name = text_or_blank(block.get("id")), text_or_blank(block.get("name"))
            call = self._calls[index] = ToolCall(index, ident, name)
            # The whole input at once; an empty one only announces that pieces will follow.
            self._add(call, write_arguments(block["input"]) if block.get("input") else "")
        elif kind == "text":
            self._say(block.get("text"))
        elif kind == "thinking":
            self._think(block.get("thinking"))
        else:
            self._left_out.add(index)

    def _take_delta(self, index: int, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "thinking_delta":
            self._think(delta.get("thinking"))
        elif kind == "input_json_delta" and index not in self._left_out:
            piece = text_or_blank(delta.get("partial_json"))
            call = self._calls.get(index)
            if call is None:
                raise StreamBroken("sent arguments for a tool call that it did not begin")
            self._add(call, piece)

    def _add(self, call: ToolCall, piece: str) -> None:
        if piece:
            call.pieces.append(piece)
            self._held += len(piece)
            if self._held > MAX_HELD_BYTES:
                raise StreamBroken("sent a tool call that is too large")
        self._writer.call(self._speaker(), call, piece)

    def _say(self, text: Any) -> bool:
        if not text or not isinstance(text, str):
            return False
        self._writer.text(self._speaker(), text)
        return True

    def _think(self, text: Any) -> None:
        if self._thoughts and text and isinstance(text, str):
            self._writer.thought(self._speaker(), text)

    def _speaker(self) -> ChoiceT:
        if self._choice is None:
            self._choice = self._writer.choice(0)
        return self._choice


def _index(document: dict[str, Any]) -> int:
    index = document.get("index", 0)
    return index if type(index) is int else -1
