"""Reads a chat completion: a stream of chunks, or the one body of a node that ignores
``stream``."""

from __future__ import annotations

from typing import Any, Generic

from casedesk_proxy.dialects.core.events import read_object, without_answer
from casedesk_proxy.dialects.core.reply import ChoiceT, ReplyWriter
from casedesk_proxy.dialects.openai.chunks import (
    DONE,
    CallList,
    UsageTally,
    number_calls,
    says_text_only,
    text_of_chunk,
)
from casedesk_proxy.dialects.openai.finish import read_finish
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.terms import Usage
from casedesk_proxy.wire.sse import Event

__all__ = ["ChatReader", "chunk_template"]

#: More choices than a client can ask for.
_MAX_CHOICES = 64


def chunk_template() -> TextTemplate:
    return TextTemplate(b"content", text_of_chunk)


class ChatReader(Generic[ChoiceT]):
    """See ``reply.ReplyReader``.

    The end is held until the usage is known: until the chunk that contains only usage, ``[DONE]``,
    or the end of the stream. ``wanted`` choices were requested; a node may send them one after the
    other. ``declared``: the functions of the request, by the node's names. ``thoughts``: whether
    thoughts are read; they are skipped if the client is not shown them. ``single``: the client
    protocol has one answer only and gets the first of each chunk.
    """

    __slots__ = (
        "_begun",
        "_calls",
        "_choices",
        "_declared",
        "_single",
        "_tally",
        "_thoughts",
        "_unfinished",
        "_wanted",
        "_writer",
        "ended",
    )

    def __init__(
        self,
        writer: ReplyWriter[ChoiceT],
        *,
        thoughts: bool = False,
        wanted: int = 1,
        single: bool = False,
        declared: tuple[str, ...] = (),
    ) -> None:
        self.ended = False
        self._writer = writer
        self._thoughts = thoughts
        self._wanted = wanted
        self._single = single
        self._declared = declared
        self._begun = False
        self._choices: dict[int, ChoiceT] = {}
        self._unfinished = 0
        self._calls: dict[int, CallList] = {}
        self._tally = UsageTally()

    @property
    def usage(self) -> Usage:
        return self._tally.total(len(self._choices))

    def take(self, event: Event, learns: bool) -> ChoiceT | None:
        if event[1] == DONE:
            self.end()
            return None
        chunk = read_object(event[1])
        choices = chunk.get("choices")
        if not choices:
            self._take_counts(chunk)
            return None
        if type(choices) is list and len(choices) == 1 and self._begun and not chunk.get("usage"):
            self._take_choice(choices[0])  # a token
        else:
            self._take_choices(chunk, choices)
        if learns and says_text_only(chunk):
            return self._choices[0 if self._single else choices[0].get("index") or 0]
        return None

    def take_body(self, document: dict[str, Any]) -> None:
        number_calls(document)
        choices = document.get("choices")
        if choices:
            self._take_choices(document, choices)
        else:
            self._tally.take(document.get("usage"), alone=True)

    def end(self) -> None:
        if not self._choices:
            raise without_answer("it has no choices")
        if self._unfinished:
            raise StreamBroken("ended before it was complete", its="reply")
        choices = self._choices
        ordered = sorted(choices) if len(choices) > 1 else choices
        self._writer.end([choices[index] for index in ordered], self.usage)
        self.ended = True

    def _take_counts(self, chunk: dict[str, Any]) -> None:
        """Read a chunk without choices."""
        counts = chunk.get("usage")
        self._tally.take(counts, alone=True)
        if not self._begun:
            self._writer.begin(chunk.get("model"), chunk.get("id"), self.usage, answers=False)
        only = self._wanted == 1 and len(self._choices) == 1
        if only and isinstance(counts, dict) and not self._unfinished:
            self.end()

    def _take_choices(self, chunk: dict[str, Any], choices: Any) -> None:
        counts = chunk.get("usage")
        if counts:
            self._tally.take(counts, alone=False)
        if not isinstance(choices, list):
            raise StreamBroken("sent malformed choices")
        if not self._begun:
            self._begun = True
            self._writer.begin(chunk.get("model"), chunk.get("id"), self.usage, answers=True)
        if len(choices) == 1 or self._single:
            self._take_choice(choices[0])
            return
        for choice in choices:
            self._take_choice(choice)

    def _take_choice(self, document: Any) -> None:
        if not isinstance(document, dict):
            raise StreamBroken("sent a malformed choice")
        index = 0 if self._single else document.get("index", 0)
        if type(index) is not int:
            index = 0 if index is None else -1
        choice = self._choices.get(index) or self._open_choice(index)
        finish = document.get("finish_reason")
        if finish:  # Some servers send "" for none, in every chunk.
            self._unfinished -= choice.finish is None
            choice.finish = read_finish(finish)
        logprobs = document.get("logprobs")
        if logprobs:
            self._take_logprobs(choice, logprobs)
        delta = document.get("delta") or document.get("message")
        if isinstance(delta, dict):
            content = delta.get("content")
            if len(delta) > 1 or type(content) is not str:
                self._take_delta(choice, delta, bool(finish))
            elif content:
                if finish:
                    self._writer.text(choice, content, last=True)
                else:
                    self._writer.text(choice, content)
        if finish:
            # vLLM and SGLang report the stop string that was found; a stop token is a number there.
            choice.matched = document.get("stop_reason") or document.get("matched_stop")
            self._writer.finish(choice)

    def _open_choice(self, index: int) -> ChoiceT:
        if not 0 <= index < _MAX_CHOICES:
            raise StreamBroken("sent a choice with an unknown index")
        self._unfinished += 1
        choice = self._choices[index] = self._writer.choice(index)
        return choice

    def _take_delta(self, choice: ChoiceT, delta: dict[str, Any], last: bool) -> None:
        """Read everything that a delta may contain, in the order in which a model generates it."""
        if self._thoughts:
            thought = delta.get("reasoning") or delta.get("reasoning_content")
            if thought and (text := _words(thought)):
                self._writer.thought(choice, text)
        content = delta.get("content")
        if content:
            if not isinstance(content, str | list):
                raise StreamBroken("sent content that is not text")
            if text := _words(content):
                self._writer.text(choice, text, last=last)
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str | list):
            choice.refused = True
            self._writer.text(choice, _words(refusal))
        calls, legacy = delta.get("tool_calls"), delta.get("function_call")
        if calls and isinstance(calls, list):
            for fragment in calls:
                self._take_call(choice, fragment)
        elif isinstance(legacy, dict):
            choice.legacy = True
            self._take_call(choice, {"index": 0, "function": legacy})

    def _take_call(self, choice: ChoiceT, fragment: Any) -> None:
        calls = self._calls.get(choice.index)
        if calls is None:
            calls = self._calls[choice.index] = CallList(choice.calls, self._declared)
        found = calls.add(fragment)
        if found is not None:
            self._writer.call(choice, *found)

    def _take_logprobs(self, choice: ChoiceT, logprobs: Any) -> None:
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        if isinstance(tokens, list):
            self._writer.log(choice, tokens)


def _words(content: Any) -> str:
    """A text, or the joined texts of a list of parts; "" for anything else."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))
