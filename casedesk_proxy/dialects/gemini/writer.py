"""Writing a Gemini reply: as Google's SSE, as its JSON array, or collected into one body.

Measured over the SDKs: a frame is ``data: <JSON on one line>`` and nothing else may stand on the
stream; every chunk has candidates with parts; function calls, finish reason and usage come
together in the last one; one candidate a chunk, since an old SDK merges them. Where a frame is
open, spaces inside it are the only sign of life that every client takes.
"""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.openai.chunks import MAX_HELD
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps_stream, loads
from casedesk_proxy.terms import Framing, Usage
from casedesk_proxy.wire.jsonarray import ArrayWriter
from casedesk_proxy.wire.sse import frame

__all__ = ["Candidate", "GeminiWriter", "holds_back", "usage_metadata"]

_CONTENT_TYPES = {
    Framing.UNARY: "application/json; charset=UTF-8",
    Framing.SSE: "text/event-stream",
    Framing.JSON_ARRAY: "application/json; charset=UTF-8",
}
#: Clients that lose a chat's turn from its history when the last chunk has no text (measured):
#: @google/generative-ai, and google-genai before 2, which gemini-cli also has inside.
_HOLDS_BACK = re.compile(r"(?:^|\s)(?:genai-js/|google-genai-sdk/[01]\.)")
#: How a chunk begins whose only part is text.
_TEXT_CHUNK = b'{"candidates":[{"content":{"parts":[{"text":'
#: Log probabilities held back for one body.
_MOST_LOGS = 100_000
#: Some nodes name the model by the file it came from, which is nobody's business.
_PATH_LIKE = re.compile(r"^[./~\\]|^[A-Za-z]:\\")


def holds_back(client: str) -> bool:
    """Whether this client gets the last piece of text together with the finish reason."""
    return _HOLDS_BACK.search(client) is not None


class Candidate:
    """One candidate as it grows: what is held of it, and its place in the JSON."""

    __slots__ = ("held", "index", "logs", "parts", "suffix", "token_count", "token_sum")

    def __init__(self, index: int) -> None:
        self.index = index
        #: Text that waits for the finish reason, with its log probabilities.
        self.held: tuple[str, list[dict[str, Any]]] | None = None
        #: Log probabilities that wait for a chunk, and what they all came to.
        self.logs: list[dict[str, Any]] = []
        self.token_sum = 0.0
        self.token_count = 0
        #: Collected: (is a thought, pieces), in order.
        self.parts: list[tuple[bool, list[str]]] = []
        #: What closes a chunk behind the text of its only part.
        self.suffix = b""


class GeminiWriter:
    """Gives the bytes now due. Which node told the content does not matter here.

    Only the first ``name`` counts, so that all chunks agree. ``end`` is called once, and then
    ``close``. ``beat`` and ``error`` fit the position at any time.
    """

    __slots__ = (
        "_array",
        "_ended",
        "_framing",
        "_held_back",
        "_held_bytes",
        "_named",
        "_open",
        "_speaking",
        "candidates",
        "content_type",
        "model",
        "response_id",
    )

    def __init__(self, context: Context, framing: Framing) -> None:
        self.content_type = _CONTENT_TYPES[framing]
        self.candidates: dict[int, Candidate] = {}
        self.model = context.asked
        self.response_id = context.request_id
        self._named = False
        self._framing = framing
        self._held_back = holds_back(context.client)
        self._held_bytes = 0
        self._array = ArrayWriter()
        self._open = False  # ``data: `` has been written by a beat
        self._ended = False
        self._speaking: Candidate | None = None

    def name(self, model: Any, response_id: Any) -> None:
        """Take the node's own names, unless they were left out or tell of its file system."""
        if self._named:
            return
        self._named = True
        if isinstance(response_id, str) and response_id:
            self.response_id = response_id
        if isinstance(model, str) and model and not _PATH_LIKE.search(model):
            self.model = model

    def candidate(self, index: int) -> Candidate:
        found = self.candidates.get(index)
        if found is None:
            found = self.candidates[index] = Candidate(index)
            found.suffix = b'}],"role":"model"},"index":%d}],"modelVersion":%b,"responseId":%b}' % (
                index,
                dumps_stream(self.model),
                dumps_stream(self.response_id),
            )
        return found

    def text(self, candidate: Candidate, text: str, *, last: bool = False) -> bytes:
        """A piece of the answer. ``last``: its finish reason is known already, so that both
        can go out together."""
        if self._framing is Framing.UNARY:
            return self._collect(candidate, text, thought=False)
        hold = last or self._held_back
        if candidate.held is None and not hold:
            return self._piece(candidate, text)
        logs, candidate.logs = candidate.logs, []
        due = self.flush(candidate)
        if hold:
            candidate.held = (text, logs)
            return due
        candidate.logs = logs
        return due + self._piece(candidate, text)

    def repeats(self, candidate: Candidate | None) -> bool:
        """Whether more text of this candidate needs nothing but to be written. Then ``more`` may
        follow, until anything else does."""
        if candidate is None or self._held_back or candidate.held is not None or candidate.logs:
            return False
        self._speaking = candidate
        return True

    def more(self, text: bytes) -> bytes:
        """More text, as the JSON of a string that may stand on a stream's line."""
        candidate = self._speaking
        assert candidate is not None
        if self._framing is Framing.UNARY:
            return self._collect(candidate, loads(text), thought=False)
        return self._framed(_TEXT_CHUNK + text + candidate.suffix)

    def thought(self, candidate: Candidate, text: str) -> bytes:
        if self._framing is Framing.UNARY:
            return self._collect(candidate, text, thought=True)
        return self.flush(candidate) + self._piece(candidate, text, thought=True)

    def log(self, candidate: Candidate, tokens: list[dict[str, Any]]) -> None:
        """Log probabilities of the tokens that come next, in OpenAI's shape."""
        for token in tokens:
            if isinstance(token, dict) and isinstance(token.get("logprob"), int | float):
                candidate.logs.append(token)
                candidate.token_sum += token["logprob"]
                candidate.token_count += 1
        if len(candidate.logs) > _MOST_LOGS:
            raise StreamBroken("the node sent more log probabilities than one body can hold")

    def flush(self, candidate: Candidate) -> bytes:
        """What was held back of the text, where something else comes before the finish."""
        if candidate.held is None:
            return b""
        text, logs = candidate.held
        candidate.held = None
        candidate.logs, later = logs, candidate.logs
        due = self._piece(candidate, text)
        candidate.logs = later
        return due

    def end(self, endings: list[tuple[Candidate, dict[str, Any]]], usage: Usage) -> bytes:
        """The last chunk of each candidate: ``calls`` (parts), ``finishReason`` and, if any,
        ``finishMessage``. The last of them carries the usage."""
        self._ended = True
        metadata = usage_metadata(usage)
        if self._framing is Framing.UNARY:
            whole = [self._whole(one, ending) for one, ending in endings]
            return dumps_stream(self._reply(whole, metadata))
        due = []
        for at, (candidate, ending) in enumerate(endings):
            final = metadata if at == len(endings) - 1 else None
            due.append(self._frame(self._reply([self._last(candidate, ending)], final)))
        return b"".join(due)

    def close(self) -> bytes:
        return self._array.close() if self._framing is Framing.JSON_ARRAY else b""

    def error(self, envelope: bytes) -> bytes:
        if self._framing is Framing.UNARY or self._ended:
            return b""
        return self._framed(envelope)

    def beat(self) -> bytes:
        if self._ended or self._framing is Framing.UNARY:
            return b""
        if self._framing is Framing.JSON_ARRAY:
            return self._array.blank()
        if self._open:
            return b" "
        self._open = True
        return b"data: "

    def _piece(self, candidate: Candidate, text: str, *, thought: bool = False) -> bytes:
        if candidate.logs:
            part: dict[str, Any] = {"text": text, "thought": True} if thought else {"text": text}
            content = {"parts": [part], "role": "model"}
            result = {"content": content, "index": candidate.index}
            self._put_logs(candidate, result)
            return self._frame(self._reply([result], None))
        # The same as JSON made from dicts, at a third of the time: this is every token.
        middle = b',"thought":true' if thought else b""
        return self._framed(_TEXT_CHUNK + dumps_stream(text) + middle + candidate.suffix)

    def _framed(self, json: bytes) -> bytes:
        if self._framing is Framing.JSON_ARRAY:
            return self._array.element(json)
        if self._open:
            self._open = False
            return json + b"\r\n\r\n"
        return frame(json)

    def _frame(self, reply: dict[str, Any]) -> bytes:
        return self._framed(dumps_stream(reply))

    def _reply(
        self, candidates: list[dict[str, Any]], usage: dict[str, Any] | None
    ) -> dict[str, Any]:
        reply: dict[str, Any] = {"candidates": candidates}
        if usage:
            reply["usageMetadata"] = usage
        reply["modelVersion"] = self.model
        reply["responseId"] = self.response_id
        return reply

    def _collect(self, candidate: Candidate, text: str, *, thought: bool) -> bytes:
        self._held_bytes += len(text)
        if self._held_bytes > MAX_HELD:
            raise StreamBroken("the node's reply is too large to be one body")
        if not candidate.parts or candidate.parts[-1][0] is not thought:
            candidate.parts.append((thought, []))
        candidate.parts[-1][1].append(text)
        return b""

    def _whole(self, candidate: Candidate, ending: dict[str, Any]) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for thought, pieces in candidate.parts:
            part: dict[str, Any] = {"text": "".join(pieces)}
            parts.append({**part, "thought": True} if thought else part)
        return self._ending(candidate, ending, parts)

    def _last(self, candidate: Candidate, ending: dict[str, Any]) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        if candidate.held is not None:
            text, logs = candidate.held
            parts.append({"text": text})
            candidate.logs = logs + candidate.logs
        return self._ending(candidate, ending, parts)

    def _ending(
        self, candidate: Candidate, ending: dict[str, Any], parts: list[dict[str, Any]]
    ) -> dict[str, Any]:
        parts = [*parts, *ending.pop("calls", ())]
        # Never without a part, and never with an empty text beside a call.
        answered = any("thought" not in part for part in parts)
        content = {"parts": parts if answered else [*parts, {"text": ""}], "role": "model"}
        result = {"content": content, **ending, "index": candidate.index}
        self._put_logs(candidate, result)
        if candidate.token_count:
            result["avgLogprobs"] = candidate.token_sum / candidate.token_count
        return result

    def _put_logs(self, candidate: Candidate, result: dict[str, Any]) -> None:
        if candidate.logs:
            result["logprobsResult"] = _logprobs_result(candidate.logs)
            candidate.logs = []


def _logprobs_result(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    tops = []
    for token in tokens:
        top = token.get("top_logprobs")
        ranked = sorted(
            (
                one
                for one in (top if isinstance(top, list) else ())
                if isinstance(one, dict) and isinstance(one.get("logprob"), int | float)
            ),
            key=lambda one: -one["logprob"],
        )
        tops.append({"candidates": [_token(one) for one in ranked]})
    result: dict[str, Any] = {
        "chosenCandidates": [_token(token) for token in tokens],
        "logProbabilitySum": sum(token["logprob"] for token in tokens),
    }
    if any(one["candidates"] for one in tops):
        result["topCandidates"] = tops
    return result


def _token(token: dict[str, Any]) -> dict[str, Any]:
    text = token.get("token")
    made = {"token": text if isinstance(text, str) else "", "logProbability": token["logprob"]}
    if isinstance(token.get("id"), int):  # llama-server tells it
        made["tokenId"] = token["id"]
    return made


def usage_metadata(usage: Usage) -> dict[str, Any]:
    """{} where the node told nothing. Of ``output``, thoughts are told apart where known."""
    if usage.prompt is None and usage.output is None:
        return {}
    prompt, output, thoughts = usage.prompt or 0, usage.output or 0, usage.thoughts or 0
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": max(output - thoughts, 0)}
    if usage.cached:
        counts["cachedContentTokenCount"] = usage.cached
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    counts["totalTokenCount"] = prompt + counts["candidatesTokenCount"] + thoughts
    return counts
