"""Translates a node's stream for a client: one reader, one writer, and the bytes between them."""

from __future__ import annotations

from typing import Generic

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, read_reply
from casedesk_proxy.dialects.core.reply import ChoiceT, ReplyReader, ReplyWriter
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.errors import Busy, ProxyError, StreamBroken, UpstreamFault, Violation
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.terms import Dialect, Position, RawHeaders, Usage
from casedesk_proxy.wire.sse import EventDecoder, EventTooLarge

__all__ = ["StreamTranslator"]


class StreamTranslator(Generic[ChoiceT]):
    """See ``contract.Translator``. ``template`` finds the text in the events of the node's
    protocol; ``media``: the places of images and the like in the request.

    An answer that is one JSON body is read as well: some nodes ignore ``stream`` (cyllama).
    """

    __slots__ = (
        "_asked",
        "_body",
        "_decoder",
        "_media",
        "_more",
        "_reader",
        "_sniffs",
        "_surface",
        "_template",
        "_writer",
        "complete",
        "content_type",
    )

    def __init__(
        self,
        surface: Dialect,
        context: Context,
        reader: ReplyReader[ChoiceT],
        writer: ReplyWriter[ChoiceT],
        template: TextTemplate,
        media: tuple[Violation, ...] = (),
    ) -> None:
        self.content_type = writer.content_type
        self.complete = False
        self._surface = surface
        self._asked = context.asked
        self._media = media
        self._reader = reader
        self._writer = writer
        self._more = writer.more  # looked up once: used for every token
        self._decoder = EventDecoder()
        self._template = template
        self._body: bytearray | None = None
        #: Nothing is known yet, or the reply is one body.
        self._sniffs = True

    @property
    def usage(self) -> Usage:
        return self._reader.usage

    def feed(self, data: bytes) -> bytes:
        text = self._template.read(data)
        if text is not None:
            return self._more(text)
        self._template.forget()
        return self._read(data)

    def finish(self) -> bytes:
        if self._body is not None:
            self._reader.take_body(read_reply(bytes(self._body)))
        else:
            for event in self._decoder.finish():
                if not self._reader.ended:
                    self._reader.take(event, False)
        if not self._reader.ended:
            self._reader.end()
        self.complete = True
        return self._writer.close()

    def halt(self) -> tuple[bytes, Position]:
        return self._writer.halt()

    def keepalive(self) -> bytes:
        return b"" if self.complete else self._writer.keepalive()

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        fault = map_node_error(self._surface, status, headers, body, self._asked, self._media)
        if self._surface is Dialect.ANTHROPIC and isinstance(fault, Busy):
            # This is a limit of the node's, not our queue, for which the surface uses 529.
            pause = fault.retry_after
            return UpstreamFault(fault.message, status=429, code=fault.code, retry_after=pause)
        return fault

    def _read(self, data: bytes) -> bytes:
        if self._sniffs and self._is_body(data):
            return b""
        began = self._decoder.at_boundary
        try:
            events = self._decoder.feed(data)
        except EventTooLarge:
            raise StreamBroken("sent an event that is too large") from None
        reader = self._reader
        if len(events) == 1 and not reader.ended:
            choice = reader.take(events[0], began and self._template.learns)
            if choice is not None and self._writer.repeats(choice):
                self._template.learn(data)
        else:
            for event in events:
                if not reader.ended:
                    reader.take(event, False)
        self.complete = reader.ended
        return self._writer.take()

    def _is_body(self, data: bytes) -> bool:
        """The first bytes distinguish one JSON body from events, none of which begins with a
        brace."""
        if self._body is None:
            start = data.lstrip()
            if not start:
                return True
            if not start.startswith((b"{", b"[")):
                self._sniffs = False
                return False
            self._body = bytearray()
        self._body += data
        if len(self._body) > MAX_HELD_BYTES:
            raise StreamBroken("is too large", its="reply")
        return True
