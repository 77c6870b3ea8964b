"""An OpenAI node's reply made Anthropic's.

The end is held until the node has told its usage. Nothing is ever ended that the node did not
end: without a finish reason there is no ``message_stop``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.dialects.anthropic.forms import TEXT, THINKING, Writer, make_token
from casedesk_proxy.dialects.anthropic.sequencer import Sequence
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.node_errors.mapping import read_fault
from casedesk_proxy.dialects.openai.chunks import (
    DONE,
    MAX_HELD,
    UsageTally,
    number_calls,
    read_chunk,
    says_text_only,
    text_of_chunk,
)
from casedesk_proxy.dialects.openai.finish import Finish, read_finish
from casedesk_proxy.errors import Busy, ProxyError, StreamBroken, UpstreamFault, Violation
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.terms import Dialect, RawHeaders, Usage
from casedesk_proxy.wire.sse import EventDecoder, EventTooLarge

__all__ = ["ChatReply"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_UNFINISHED = "the node ended its reply without a finish reason"


class ChatReply:
    """See ``contract.Translator``. ``names`` leads from the node's function names to the client's;
    ``stops`` are the client's stop strings; ``thinks`` tells whether it is shown thinking;
    ``media`` says where the request has pictures.

    A node that answers with one JSON body is read as well: some ignore ``stream`` (cyllama).
    """

    def __init__(
        self,
        context: Context,
        writer: Writer,
        *,
        names: Mapping[str, str] | None = None,
        stops: tuple[str, ...] = (),
        thinks: bool = False,
        media: tuple[Violation, ...] = (),
    ) -> None:
        self.content_type = writer.content_type
        self.usage = Usage()
        self.complete = False
        self._context = context
        self._media = media
        self._writer = writer
        self._stops = stops
        self._thinks = thinks
        self._sequence = Sequence(
            writer, names or {}, functools.partial(_make_id, context.request_id)
        )
        self._decoder = EventDecoder()
        self._template = TextTemplate(b"content", text_of_chunk)
        #: Whether the event that was taken last did nothing but add text.
        self._speaking = False
        self._tally = UsageTally()
        self._document: bytearray | None = None
        self._sniffed = False
        self._begun = False
        self._finish: Finish | None = None
        self._matched: str | None = None
        self._refused = False

    def expect(self, prompt_tokens: int) -> None:
        """The prompt's size by the node's tokenizer, for the beginning of the message."""
        self._context = replace(self._context, prompt_tokens=prompt_tokens)

    def feed(self, data: bytes) -> bytes:
        text = self._template.read(data)
        if text is not None:
            return self._writer.more(text)
        self._template.forget()
        if (not self._sniffed or self._document is not None) and self._is_document(data):
            return b""
        began = self._decoder.between
        try:
            events = self._decoder.feed(data)
        except EventTooLarge:
            raise StreamBroken("the node sent an event without end") from None
        self._speaking = False
        for _, payload in events:
            self._take(payload)
        if self._speaking and len(events) == 1 and began:
            self._template.learn(data)
        return self._writer.take()

    def finish(self) -> bytes:
        if self._document is not None:
            self._take_document(bytes(self._document))
        for _, payload in self._decoder.finish():
            self._take(payload)
        self._end()
        return self._writer.close()

    def error(self, envelope: bytes) -> bytes:
        return self._writer.error(envelope)

    def beat(self) -> bytes:
        """A ping, behind the beginning of the message: before it, events have no place."""
        if self.complete:
            return b""
        if not self._begun:
            self._begin({})
        return self._writer.ping()

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        fault = read_fault(
            Dialect.ANTHROPIC, status, headers, body, self._context.asked, self._media
        )
        if isinstance(fault, Busy):
            # Not our queue, for which the surface says 529, but a limit of the node's.
            retry_after = fault.retry_after
            return UpstreamFault(
                fault.message, status=429, code=fault.code, retry_after=retry_after
            )
        return fault

    def _is_document(self, data: bytes) -> bool:
        """The first bytes tell one JSON body from events, none of which begins so."""
        if not self._sniffed:
            data = data.lstrip()
            if not data:
                return True
            self._sniffed = True
            if data.startswith((b"{", b"[")):
                self._document = bytearray()
        if self._document is None:
            return False
        self._document += data
        if len(self._document) > MAX_HELD:
            raise StreamBroken("the node sent a reply without end")
        return True

    def _take_document(self, document: bytes) -> None:
        chunk = read_chunk(document)
        number_calls(chunk)
        choice = _first(chunk.get("choices"))
        choice["delta"] = choice.get("message")
        self._take_choice(chunk, choice)

    def _take(self, payload: bytes) -> None:
        if self.complete:
            return
        if payload == DONE:
            self._end()
            return
        chunk = read_chunk(payload)
        choices = chunk.get("choices")
        if choices:
            self._take_choice(chunk, _first(choices))
            repeats = self._template.learns and self._sequence.speaks
            self._speaking = repeats and says_text_only(chunk)
            return
        counts = chunk.get("usage")
        self._count(counts, alone=True)
        if not self._begun:
            self._begin(chunk)
        if self._finish and isinstance(counts, dict):
            self._end()

    def _take_choice(self, chunk: dict[str, Any], choice: dict[str, Any]) -> None:
        if counts := chunk.get("usage"):
            self._count(counts, alone=False)
        if not self._begun:
            self._begin(chunk)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            content = delta.get("content")
            if len(delta) > 1 or not content:
                self._take_delta(delta)
            else:
                self._sequence.words(TEXT, content if type(content) is str else _joined(content))
        if finish := choice.get("finish_reason"):
            self._take_finish(finish, choice)

    def _take_delta(self, delta: dict[str, Any]) -> None:
        """Whatever may be in it, in the order in which a model produces it."""
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought and self._thinks:
            self._sequence.words(THINKING, _joined(thought))
        if content := delta.get("content"):
            self._sequence.words(TEXT, _joined(content))
        if refusal := delta.get("refusal"):
            self._refused = True
            self._sequence.words(TEXT, _joined(refusal))
        fragments = delta.get("tool_calls")
        if isinstance(fragments, list):
            for fragment in fragments:
                self._sequence.call(fragment)
        elif isinstance(legacy := delta.get("function_call"), dict):
            self._sequence.call({"index": 0, "function": legacy})

    def _take_finish(self, finish: Any, choice: dict[str, Any]) -> None:
        self._finish = read_finish(finish)
        if self._finish is Finish.REPETITION:
            # Anthropic has no stop reason for it, and every other one says something else.
            raise StreamBroken("the node stopped its model, which repeated itself")
        # vLLM and SGLang tell which stop string was met; a token is told as a number.
        matched = choice.get("stop_reason") or choice.get("matched_stop")
        if isinstance(matched, str) and matched in self._stops:
            self._matched = matched
        elif self._finish is Finish.STOP_SEQUENCE and len(self._stops) == 1:
            self._matched = self._stops[0]

    def _count(self, counts: Any, *, alone: bool) -> None:
        self._tally.take(counts, alone=alone)
        self.usage = self._tally.total(1)

    def _begin(self, chunk: dict[str, Any]) -> None:
        self._begun = True
        ident = chunk.get("id")
        ident = _UNSAFE.sub("", ident.removeprefix("chatcmpl-")) if isinstance(ident, str) else ""
        ident = f"msg_{ident or make_token(self._context.request_id)}"
        self._writer.begin(ident, self._context.asked, {"input_tokens": 0} | self._counts())

    def _end(self) -> None:
        if self.complete:
            return
        if self._finish is None:
            raise StreamBroken(_UNFINISHED)
        cut = self._finish is Finish.LENGTH
        whole = self._sequence.complete(cut=cut or self._matched is not None, keep=cut)
        self._writer.end(*self._reason(whole), self._counts())
        self.complete = True

    def _reason(self, whole: bool) -> tuple[str, str | None]:
        """Whether tools are used is told by the calls, never by the node's finish reason: vLLM
        says ``stop`` after a named choice, and ``tool_calls`` without any call (vLLM 53255)."""
        if self._finish is Finish.LENGTH:
            return "max_tokens", None
        if self._refused or self._finish is Finish.FILTER:
            return "refusal", None
        if self._sequence.uses_tools and whole:
            return "tool_use", None
        if self._matched is not None:
            # A call that it cut short must not be taken for one that is complete.
            return "stop_sequence", self._matched
        return "end_turn", None

    def _counts(self) -> dict[str, Any]:
        """Anthropic's input leaves out what came from the cache, its output includes thinking."""
        usage = self.usage
        prompt = usage.prompt if usage.prompt is not None else self._context.prompt_tokens
        cached = usage.cached or 0
        counts: dict[str, Any] = {} if prompt is None else {"input_tokens": max(prompt - cached, 0)}
        counts["cache_creation_input_tokens"] = 0
        counts["cache_read_input_tokens"] = cached
        counts["output_tokens"] = usage.output or 0
        if usage.thoughts:
            counts["output_tokens_details"] = {"thinking_tokens": usage.thoughts}
        return counts


def _first(choices: Any) -> dict[str, Any]:
    """The only choice: nobody asks for more."""
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise StreamBroken("the node sent a reply without a choice")
    return choice


def _joined(content: Any) -> str:
    """Words, or the words of a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise StreamBroken("the node sent words that are no text")
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _make_id(request_id: str, nth: int) -> str:
    return make_token(f"{request_id}/call {nth}")
