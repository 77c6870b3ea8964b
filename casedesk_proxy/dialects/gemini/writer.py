"""Writes a Gemini reply: as Google's SSE, as its JSON array, or collected into one body.

Measured over the SDKs: a frame is ``data: <JSON on one line>``, and nothing else is allowed on the
stream; every chunk has candidates with parts; function calls, finish reason and usage come together
in the last one; a chunk has one candidate, since an old SDK merges them. While a frame is open,
spaces inside it are the only keepalive that every client accepts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.calls import ToolCall
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.core.pending import PendingBytes
from casedesk_proxy.dialects.gemini.candidate import Candidate
from casedesk_proxy.dialects.gemini.counts import logprobs_result, usage_metadata
from casedesk_proxy.dialects.gemini.endings import call_parts, finish_fields
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps_stream, loads
from casedesk_proxy.terms import Framing, Position, Usage
from casedesk_proxy.wire.jsonarray import ArrayWriter
from casedesk_proxy.wire.sse import google_frame

__all__ = ["GeminiWriter", "holds_back"]

_CONTENT_TYPES = {
    Framing.UNARY: "application/json; charset=UTF-8",
    Framing.SSE: "text/event-stream",
    Framing.JSON_ARRAY: "application/json; charset=UTF-8",
}
#: Clients that lose a chat's turn from its history if the last chunk has no text:
#: @google/generative-ai (0.24.1), and google-genai before 2, which gemini-cli also contains.
_HOLDS_BACK = re.compile(r"(?:^|\s)(?:genai-js/|google-genai-sdk/[01]\.)")
#: The beginning of a chunk whose only part is text.
_TEXT_CHUNK = b'{"candidates":[{"content":{"parts":[{"text":'
#: Log probabilities held back for one body.
_MAX_LOGPROBS = 100_000
#: Some nodes name the model by its file's path, which clients must not see.
_PATH_LIKE = re.compile(r"^[./~\\]|^[A-Za-z]:\\")


def holds_back(client: str) -> bool:
    """Whether this client gets the last piece of text together with the finish reason."""
    return _HOLDS_BACK.search(client) is not None


class GeminiWriter(PendingBytes):
    """See ``reply.ReplyWriter``. ``names`` maps the node's function names to the client's.

    Only the first name of the model is used, so that all chunks agree.
    """

    __slots__ = (
        "_array",
        "_ended",
        "_framing",
        "_held_back",
        "_held_bytes",
        "_model",
        "_named",
        "_names",
        "_open",
        "_request_id",
        "_response_id",
        "_speaking",
        "content_type",
    )

    def __init__(
        self, context: Context, framing: Framing, names: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.content_type = _CONTENT_TYPES[framing]
        self._model = context.asked
        self._request_id = self._response_id = context.request_id
        self._named = False
        self._names = names or {}
        self._framing = framing
        self._held_back = holds_back(context.client)
        self._held_bytes = 0
        self._array = ArrayWriter()
        self._open = False  # ``data: `` was written as a keepalive
        self._ended = False
        self._speaking: Candidate | None = None

    def begin(self, model: Any, ident: Any, usage: Usage, *, answers: bool) -> None:
        """Take the node's own names, unless they are missing or reveal its file system."""
        if self._named or not answers:
            return
        self._named = True
        if isinstance(ident, str) and ident:
            self._response_id = ident
        if isinstance(model, str) and model and not _PATH_LIKE.search(model):
            self._model = model

    def choice(self, index: int) -> Candidate:
        made = Candidate(index)
        made.suffix = b'}],"role":"model"},"index":%d}],"modelVersion":%b,"responseId":%b}' % (
            index,
            dumps_stream(self._model),
            dumps_stream(self._response_id),
        )
        return made

    def text(self, choice: Candidate, text: str, *, last: bool = False) -> None:
        """Text that comes with its finish reason is held until that is sent, so that both are sent
        together."""
        if self._framing is Framing.UNARY:
            self._collect(choice, text, thought=False)
            return
        hold = last or self._held_back
        if choice.held is None and not hold:
            self._piece(choice, text)
            return
        logs, choice.logs = choice.logs, []
        self._flush(choice)
        if hold:
            choice.held = (text, logs)
        else:
            choice.logs = logs
            self._piece(choice, text)

    def repeats(self, choice: Candidate) -> bool:
        if self._held_back or choice.held is not None or choice.logs:
            return False
        self._speaking = choice
        return True

    def more(self, text: bytes) -> bytes:
        choice = self._speaking
        assert choice is not None
        if self._framing is Framing.UNARY:
            self._collect(choice, loads(text), thought=False)
            return b""
        return self._framed(_TEXT_CHUNK + text + choice.suffix)

    def thought(self, choice: Candidate, text: str) -> None:
        if self._framing is Framing.UNARY:
            self._collect(choice, text, thought=True)
            return
        self._flush(choice)
        self._piece(choice, text, thought=True)

    def call(self, choice: Candidate, call: ToolCall, piece: str) -> None:
        """Calls are sent whole, at the end."""

    def finish(self, choice: Candidate) -> None:
        """Finish reasons are sent with the usage, at the end."""

    def log(self, choice: Candidate, tokens: list[Any]) -> None:
        for token in tokens:
            if isinstance(token, dict) and isinstance(token.get("logprob"), int | float):
                choice.logs.append(token)
                choice.token_sum += token["logprob"]
                choice.token_count += 1
        if len(choice.logs) > _MAX_LOGPROBS:
            raise StreamBroken("sent more log probabilities than fit into one reply")

    def end(self, choices: list[Candidate], usage: Usage) -> None:
        """The last chunk of each candidate; the last of these contains the usage."""
        self._ended = True
        metadata = usage_metadata(usage)
        if self._framing is Framing.UNARY:
            whole = [self._whole(choice) for choice in choices]
            self._out.append(dumps_stream(self._reply(whole, metadata)))
            return
        for at, choice in enumerate(choices):
            final = metadata if at == len(choices) - 1 else None
            self._frame(self._reply([self._last(choice)], final))

    def close(self) -> bytes:
        due = self.take()
        return due + self._array.close() if self._framing is Framing.JSON_ARRAY else due

    def halt(self) -> tuple[bytes, Position]:
        if self._framing is Framing.UNARY or self._ended:
            return b"", Position.INSIDE
        due = self.take()
        if self._framing is Framing.JSON_ARRAY:
            return due, self._array.position
        return due, Position.BEGUN if self._open else Position.BETWEEN

    def keepalive(self) -> bytes:
        if self._ended or self._framing is Framing.UNARY:
            return b""
        if self._framing is Framing.JSON_ARRAY:
            return self._array.blank()
        if self._open:
            return b" "
        self._open = True
        return b"data: "

    def _flush(self, choice: Candidate) -> None:
        """Send the text that was held back, if something other than the finish follows."""
        if choice.held is None:
            return
        text, logs = choice.held
        choice.held = None
        choice.logs, later = logs, choice.logs
        self._piece(choice, text)
        choice.logs = later

    def _piece(self, choice: Candidate, text: str, *, thought: bool = False) -> None:
        if choice.logs:
            part: dict[str, Any] = {"text": text, "thought": True} if thought else {"text": text}
            content = {"parts": [part], "role": "model"}
            result = {"content": content, "index": choice.index}
            self._put_logs(choice, result)
            self._frame(self._reply([result], None))
            return
        # The same bytes as JSON made from dicts, in a third of the time: this runs for every token.
        middle = b',"thought":true' if thought else b""
        self._out.append(self._framed(_TEXT_CHUNK + dumps_stream(text) + middle + choice.suffix))

    def _framed(self, json: bytes) -> bytes:
        if self._framing is Framing.JSON_ARRAY:
            return self._array.element(json)
        if self._open:
            self._open = False
            return json + b"\r\n\r\n"
        return google_frame(json)

    def _frame(self, reply: dict[str, Any]) -> None:
        self._out.append(self._framed(dumps_stream(reply)))

    def _reply(
        self, candidates: list[dict[str, Any]], usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        reply: dict[str, Any] = {"candidates": candidates}
        if usage:
            reply["usageMetadata"] = usage
        reply["modelVersion"] = self._model
        reply["responseId"] = self._response_id
        return reply

    def _collect(self, choice: Candidate, text: str, *, thought: bool) -> None:
        self._held_bytes += len(text)
        if self._held_bytes > MAX_HELD_BYTES:
            raise StreamBroken("is too large for a single body", its="reply")
        if not choice.parts or choice.parts[-1][0] is not thought:
            choice.parts.append((thought, []))
        choice.parts[-1][1].append(text)

    def _whole(self, choice: Candidate) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for thought, pieces in choice.parts:
            part: dict[str, Any] = {"text": "".join(pieces)}
            parts.append({**part, "thought": True} if thought else part)
        return self._ending(choice, parts)

    def _last(self, choice: Candidate) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        if choice.held is not None:
            text, logs = choice.held
            parts.append({"text": text})
            choice.logs = logs + choice.logs
        return self._ending(choice, parts)

    def _ending(self, choice: Candidate, parts: list[dict[str, Any]]) -> dict[str, Any]:
        calls = call_parts(choice, self._names, self._request_id)
        parts = [*parts, *(part for part in calls if part is not None)]
        # There is always a part, and never an empty text beside a call.
        answered = any("thought" not in part for part in parts)
        content = {"parts": parts if answered else [*parts, {"text": ""}], "role": "model"}
        ending = finish_fields(choice, broken=None in calls)
        result = {"content": content, **ending, "index": choice.index}
        self._put_logs(choice, result)
        if choice.token_count:
            result["avgLogprobs"] = choice.token_sum / choice.token_count
        return result

    def _put_logs(self, choice: Candidate, result: dict[str, Any]) -> None:
        if choice.logs:
            result["logprobsResult"] = logprobs_result(choice.logs)
            choice.logs = []
