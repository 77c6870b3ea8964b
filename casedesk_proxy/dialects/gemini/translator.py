"""The side of a translator that a Gemini client sees, whatever the node speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.gemini.writer import Candidate, GeminiWriter
from casedesk_proxy.dialects.node_errors.mapping import read_fault
from casedesk_proxy.dialects.openai.chunks import MAX_HELD, read_chunk
from casedesk_proxy.errors import ProxyError, StreamBroken, Violation
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.terms import Dialect, Framing, RawHeaders, Usage
from casedesk_proxy.wire.sse import Event, EventDecoder, EventTooLarge

__all__ = ["GeminiTranslator"]


class GeminiTranslator(ABC):
    """See ``contract.Translator``. A subclass reads the node's events, writes with ``_writer`` and
    sets ``complete`` when it has written the end.

    A node that answers with one JSON body is read as well: some ignore ``stream`` (cyllama).
    """

    __slots__ = (
        "_body",
        "_context",
        "_decoder",
        "_media",
        "_reader",
        "_speaking",
        "_template",
        "_writer",
        "complete",
        "content_type",
    )

    def __init__(
        self,
        context: Context,
        framing: Framing,
        template: TextTemplate,
        media: tuple[Violation, ...] = (),
    ) -> None:
        self._context = context
        #: Where the request has pictures and the like.
        self._media = media
        self._writer = GeminiWriter(context, framing)
        self.content_type = self._writer.content_type
        self.complete = False
        self._decoder = EventDecoder()
        self._body: bytearray | None = None
        self._template = template
        #: Whose text the event was that was taken last, if it did nothing but add some.
        self._speaking: Candidate | None = None
        #: Not bound: that would be a cycle for the garbage collector in every reply.
        self._reader = GeminiTranslator._sniff

    @property
    @abstractmethod
    def usage(self) -> Usage: ...

    @abstractmethod
    def _take(self, event: Event) -> bytes:
        """What one event gives the client; not called once complete. Sets ``_speaking`` for one
        that did nothing but add text."""

    @abstractmethod
    def _take_body(self, document: dict[str, Any]) -> bytes:
        """What a body that is one document gives the client, its end not included."""

    @abstractmethod
    def _end(self) -> bytes:
        """The last chunks. Raises StreamBroken where the node has not finished."""

    def feed(self, data: bytes) -> bytes:
        text = self._template.read(data)
        if text is not None:
            return self._writer.more(text)
        self._template.forget()
        return self._reader(self, data)

    def finish(self) -> bytes:
        due = b""
        if self._body is not None:
            due = self._take_body(read_chunk(bytes(self._body)))
        else:
            for event in self._decoder.finish():
                due += b"" if self.complete else self._take(event)
        if not self.complete:
            due += self._end()
        return due + self._writer.close()

    def error(self, envelope: bytes) -> bytes:
        return self._writer.error(envelope)

    def beat(self) -> bytes:
        return self._writer.beat()

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        asked, media = self._context.asked, self._media
        return read_fault(Dialect.GEMINI, status, headers, body, asked, media)

    def _sniff(self, data: bytes) -> bytes:
        """The first bytes tell an event stream from one JSON body: no event begins with a brace."""
        start = data.lstrip()
        if not start:
            return b""
        if start.startswith((b"{", b"[")):
            self._body = bytearray()
            self._reader = GeminiTranslator._gather
        else:
            self._reader = GeminiTranslator._read
        return self._reader(self, data)

    def _gather(self, data: bytes) -> bytes:
        assert self._body is not None
        self._body += data
        if len(self._body) > MAX_HELD:
            raise StreamBroken("the node's reply is too large")
        return b""

    def _read(self, data: bytes) -> bytes:
        began = self._decoder.between
        try:
            events = self._decoder.feed(data)
        except EventTooLarge:
            raise StreamBroken("the node sent an event without end") from None
        if len(events) == 1 and not self.complete:
            self._speaking = None
            due = self._take(events[0])
            if began and self._writer.repeats(self._speaking):
                self._template.learn(data)
            return due
        return b"".join([self._take(event) for event in events if not self.complete])
