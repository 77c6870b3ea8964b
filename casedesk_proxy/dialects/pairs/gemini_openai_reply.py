"""A chat completion's stream, read for a Gemini client."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.gemini.translator import GeminiTranslator
from casedesk_proxy.dialects.gemini.writer import Candidate
from casedesk_proxy.dialects.openai.chunks import (
    DONE,
    Call,
    CallList,
    UsageTally,
    number_calls,
    read_chunk,
    says_text_only,
    text_of_chunk,
)
from casedesk_proxy.dialects.openai.finish import Finish, read_finish
from casedesk_proxy.errors import StreamBroken, Violation
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.terms import Framing, Usage
from casedesk_proxy.wire.sse import Event

__all__ = ["ChatTranslator"]

_FINISH = {
    Finish.STOP: "STOP",
    Finish.STOP_SEQUENCE: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.FILTER: "SAFETY",
    Finish.REPETITION: "OTHER",
}
#: More choices than anybody can ask for.
_MOST_CHOICES = 64


class _Choice:
    """One choice of the node's, on its way to a candidate."""

    __slots__ = ("calls", "candidate", "finish", "legacy", "refused")

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.calls: CallList | None = None
        self.finish: Finish | None = None
        self.refused = False
        self.legacy = False


class ChatTranslator(GeminiTranslator):
    """``names`` leads from the node's function names to the client's.

    The finish is held until the usage is known: the chunk that stands alone with it, or
    ``[DONE]``, or the end. ``wanted`` candidates were asked for; a node may give them one after
    the other.
    """

    __slots__ = ("_choices", "_names", "_tally", "_thoughts", "_wanted")

    def __init__(
        self,
        context: Context,
        framing: Framing,
        *,
        thoughts: bool = False,
        names: dict[str, str] | None = None,
        wanted: int = 1,
        media: tuple[Violation, ...] = (),
    ) -> None:
        super().__init__(context, framing, TextTemplate(b"content", text_of_chunk), media)
        self._choices: dict[int, _Choice] = {}
        self._tally = UsageTally()
        self._thoughts = thoughts
        self._names = names or {}
        self._wanted = wanted

    @property
    def usage(self) -> Usage:
        return self._tally.total(len(self._choices))

    def _take(self, event: Event) -> bytes:
        if event[1] == DONE:
            return self._end()
        chunk = read_chunk(event[1])
        due = self._take_chunk(chunk)
        if self._template.learns and says_text_only(chunk):
            self._speaking = self._choices[chunk["choices"][0].get("index") or 0].candidate
        return due

    def _take_body(self, document: dict[str, Any]) -> bytes:
        number_calls(document)
        return self._take_chunk(document)

    def _take_chunk(self, chunk: dict[str, Any]) -> bytes:
        choices = chunk.get("choices")
        usage = chunk.get("usage")
        if not choices:
            self._tally.take(usage, alone=True)
            only = self._wanted == 1 and len(self._choices) == 1
            if only and isinstance(usage, dict) and self._all_finished():
                return self._end()
            return b""
        if usage:
            self._tally.take(usage, alone=False)
        if not isinstance(choices, list):
            raise StreamBroken("the node sent choices that are no list")
        self._writer.name(chunk.get("model"), chunk.get("id"))
        if len(choices) == 1:
            return self._take_choice(choices[0])
        return b"".join([self._take_choice(choice) for choice in choices])

    def _take_choice(self, told: Any) -> bytes:
        if not isinstance(told, dict):
            raise StreamBroken("the node sent a choice that is no object")
        index = told.get("index", 0)
        if type(index) is not int:
            index = 0 if index is None else -1
        choice = self._choices.get(index) or self._open_choice(index)
        finish = told.get("finish_reason")
        if finish:  # Some servers write "" for none, in every chunk.
            choice.finish = read_finish(finish)
        logprobs = told.get("logprobs")
        if logprobs:
            self._take_logprobs(choice, logprobs)
        delta = told.get("delta") or told.get("message")
        if not isinstance(delta, dict):
            return b""
        due = b""
        if self._thoughts:
            thought = delta.get("reasoning") or delta.get("reasoning_content")
            if thought and isinstance(thought, str):
                due = self._writer.thought(choice.candidate, thought)
        content = delta.get("content")
        if content:
            text = content if isinstance(content, str) else _joined(content)
            if text:
                due += self._writer.text(choice.candidate, text, last=bool(finish))
        if not content or len(delta) > 1:
            due += self._take_rest(choice, delta)
        return due

    def _open_choice(self, index: int) -> _Choice:
        if not 0 <= index < _MOST_CHOICES:
            raise StreamBroken("the node sent a choice of no known index")
        choice = self._choices[index] = _Choice(self._writer.candidate(index))
        return choice

    def _take_rest(self, choice: _Choice, delta: dict[str, Any]) -> bytes:
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            for fragment in calls:
                self._calls(choice).add(fragment)
        legacy = delta.get("function_call")
        if legacy:
            choice.legacy = True
            self._calls(choice).add({"index": 0, "function": legacy})
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            choice.refused = True
            return self._writer.text(choice.candidate, refusal)
        return b""

    def _calls(self, choice: _Choice) -> CallList:
        if choice.calls is None:
            choice.calls = CallList()
        return choice.calls

    def _take_logprobs(self, choice: _Choice, logprobs: Any) -> None:
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        if isinstance(tokens, list):
            self._writer.log(choice.candidate, tokens)

    def _all_finished(self) -> bool:
        return all(choice.finish is not None for choice in self._choices.values())

    def _end(self) -> bytes:
        if not self._choices:
            raise StreamBroken("the node's reply ended without any choice")
        if not self._all_finished():
            raise StreamBroken("the node's reply ended before it was finished")
        endings = [
            (choice.candidate, self._ending(choice)) for _, choice in sorted(self._choices.items())
        ]
        due = self._writer.end(endings, self.usage)
        self.complete = True
        return due

    def _ending(self, choice: _Choice) -> dict[str, Any]:
        assert choice.finish is not None, "an answer is only ended when all choices are"
        reason = _FINISH[choice.finish]
        ending: dict[str, Any] = {}
        calls = choice.calls.ordered() if choice.calls else []
        parts = [self._call_part(call, choice.legacy) for call in calls]
        if None in parts and reason != "MAX_TOKENS":
            reason = "MALFORMED_FUNCTION_CALL"
            ending["finishMessage"] = "The model called a function with arguments that are no JSON."
        elif choice.refused:
            reason = "SAFETY"
        ending["calls"] = [part for part in parts if part is not None]
        ending["finishReason"] = reason
        return ending

    def _call_part(self, call: Call, legacy: bool) -> dict[str, Any] | None:
        arguments = call.arguments()
        if arguments is None or not call.name:
            return None
        function: dict[str, Any] = {"name": self._names.get(call.name, call.name)}
        function["args"] = arguments
        if not legacy:
            made_up = f"{self._context.request_id}-{call.index}"
            function = {"id": call.id or made_up, **function}
        return {"functionCall": function}


def _joined(content: Any) -> str:
    """The words of a list of parts."""
    if not isinstance(content, list):
        raise StreamBroken("the node sent words that are no text")
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))
