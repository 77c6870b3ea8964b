"""An Anthropic node's stream of events, read for a Gemini client.

Blocks may overlap and end late (llama-server, recorded), so everything goes by their index.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.gemini.translator import GeminiTranslator
from casedesk_proxy.dialects.gemini.writer import Candidate
from casedesk_proxy.dialects.node_errors.documents import status_of
from casedesk_proxy.dialects.openai.chunks import MAX_HELD, Call, read_chunk, write_arguments
from casedesk_proxy.errors import NodeError, StreamBroken, Violation
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.jsonio import read_count
from casedesk_proxy.terms import Framing, Usage
from casedesk_proxy.wire.sse import Event

__all__ = ["MessagesTranslator"]

_FINISH = {
    "end_turn": "STOP",
    "stop_sequence": "STOP",
    "tool_use": "STOP",
    "max_tokens": "MAX_TOKENS",
    "model_context_window_exceeded": "MAX_TOKENS",
    "refusal": "SAFETY",
    # Ends at Anthropic that Google has no word for.
    "pause_turn": "OTHER",
    "compaction": "OTHER",
}
_COUNTS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
)


class MessagesTranslator(GeminiTranslator):
    """``names`` leads from the node's function names to the client's."""

    __slots__ = (
        "_calls",
        "_candidate",
        "_counts",
        "_held",
        "_left_out",
        "_names",
        "_stop",
        "_stopped",
        "_thoughts",
    )

    def __init__(
        self,
        context: Context,
        framing: Framing,
        *,
        thoughts: bool = False,
        names: dict[str, str] | None = None,
        media: tuple[Violation, ...] = (),
    ) -> None:
        super().__init__(context, framing, TextTemplate(b"text", _text_of_delta), media)
        self._thoughts = thoughts
        self._names = names or {}
        self._candidate: Candidate | None = None
        self._calls: dict[int, Call] = {}
        self._held = 0
        #: Indexes of blocks that mean nothing to the client, a server's own tool calls among them.
        self._left_out: set[int] = set()
        self._counts: dict[str, int] = {}
        self._stop: str | None = None
        self._stopped = False

    @property
    def usage(self) -> Usage:
        told = self._counts
        inputs = [told[name] for name in _COUNTS[:3] if name in told]
        return Usage(
            read_count(sum(inputs)) if inputs else None,
            told.get("output_tokens"),
            told.get("cache_read_input_tokens"),
            told.get("thinking_tokens"),
        )

    def _take(self, event: Event) -> bytes:
        name, payload = event
        told = read_chunk(payload)
        kind = told.get("type")
        if name == b"error" or kind == "error":
            raise NodeError(status_of(told), payload)
        if kind == "content_block_delta":
            delta = told.get("delta")
            return self._take_delta(_index(told), delta) if isinstance(delta, dict) else b""
        if kind == "content_block_start":
            block = told.get("content_block")
            return self._take_block(_index(told), block) if isinstance(block, dict) else b""
        if kind == "message_start":
            message = told.get("message")
            if isinstance(message, dict):
                self._begin(message)
        elif kind == "message_delta":
            self._take_counts(told.get("usage"))
            delta = told.get("delta")
            self._take_stop(delta.get("stop_reason") if isinstance(delta, dict) else None)
        elif kind == "message_stop":
            self._stopped = True
            return self._end()
        return b""

    def _take_body(self, document: dict[str, Any]) -> bytes:
        content = document.get("content")
        if document.get("type") != "message" or not isinstance(content, list):
            raise StreamBroken("the node's reply is no message")
        self._begin(document)
        blocks = [self._take_block(at, one) for at, one in enumerate(content)]
        self._take_stop(document.get("stop_reason"))
        self._stopped = True
        return b"".join(blocks)

    def _begin(self, message: dict[str, Any]) -> None:
        self._writer.name(message.get("model"), message.get("id"))
        self._candidate = self._writer.candidate(0)
        self._take_counts(message.get("usage"))

    def _take_counts(self, usage: Any) -> None:
        """Cumulative; a later event may repeat some of them, or tell only the output."""
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
            raise StreamBroken("the node gave up before its answer was finished")
        self._stop = reason

    def _take_block(self, index: int, block: Any) -> bytes:
        if not isinstance(block, dict):
            raise StreamBroken("the node sent a block that is no object")
        kind = block.get("type")
        if kind == "tool_use":
            call = self._calls[index] = Call(index)
            call.id, call.name = _text(block.get("id")), _text(block.get("name"))
            if block.get("input"):
                # Whole at once; an empty one only says that pieces will follow.
                call.pieces.append(write_arguments(block["input"]))
        elif kind == "text":
            return self._say(block.get("text"))
        elif kind == "thinking":
            return self._think(block.get("thinking"))
        else:
            self._left_out.add(index)
        return b""

    def _take_delta(self, index: int, delta: dict[str, Any]) -> bytes:
        kind = delta.get("type")
        if kind == "text_delta":
            text = delta.get("text")
            if text and isinstance(text, str):
                self._speaking = self._speaker()
            return self._say(text)
        if kind == "thinking_delta":
            return self._think(delta.get("thinking"))
        if kind == "input_json_delta" and index not in self._left_out:
            piece = _text(delta.get("partial_json"))
            call = self._calls.get(index)
            if call is None:
                raise StreamBroken("the node sent arguments of a call that it did not begin")
            call.pieces.append(piece)
            self._held += len(piece)
            if self._held > MAX_HELD:
                raise StreamBroken("the node sent a tool call without end")
        return b""

    def _say(self, text: Any) -> bytes:
        return self._writer.text(self._speaker(), text) if text and isinstance(text, str) else b""

    def _think(self, text: Any) -> bytes:
        if not self._thoughts or not text or not isinstance(text, str):
            return b""
        return self._writer.thought(self._speaker(), text)

    def _speaker(self) -> Candidate:
        if self._candidate is None:
            self._candidate = self._writer.candidate(0)
        return self._candidate

    def _end(self) -> bytes:
        if self._stop is None or not self._stopped:
            raise StreamBroken("the node's reply ended before it was finished")
        reason = _FINISH[self._stop]
        parts = [self._call_part(call) for _, call in sorted(self._calls.items())]
        ending: dict[str, Any] = {"calls": [part for part in parts if part is not None]}
        if None in parts and reason != "MAX_TOKENS":
            reason = "MALFORMED_FUNCTION_CALL"
            ending["finishMessage"] = "The model called a function with arguments that are no JSON."
        elif reason == "SAFETY":
            ending["finishMessage"] = "The model refused to answer."
        ending["finishReason"] = reason
        due = self._writer.end([(self._speaker(), ending)], self.usage)
        self.complete = True
        return due

    def _call_part(self, call: Call) -> dict[str, Any] | None:
        arguments = call.arguments()
        if arguments is None or not call.name:
            return None
        ident = call.id or f"{self._context.request_id}-{call.index}"
        name = self._names.get(call.name, call.name)
        return {"functionCall": {"id": ident, "name": name, "args": arguments}}


def _index(told: dict[str, Any]) -> int:
    index = told.get("index", 0)
    return index if type(index) is int else -1


def _text_of_delta(told: Any) -> Any:
    return told["delta"]["text"]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
