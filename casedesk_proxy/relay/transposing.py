"""The relay of a transposed reply: the node's body through a translator, in the client's framing.

The client's head is held back until there is something to send, so that whatever fails before
can still be told as a plain error reply: ``fault`` then holds it and nothing has been written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import ClientFault, NodeError, ProxyError, StreamBroken
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.pools.retry import RETRYABLE_STATUSES
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.replying.node_errors import without_key
from casedesk_proxy.replying.record import Terminal, terminal_of
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import body_reader
from casedesk_proxy.wire.chunked import HEADS, LAST_CHUNK, ChunkReader, frame_chunk
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["TransposingRelay"]

#: Of a node's error reply, as much as is looked at, in bytes.
_MAX_REFUSAL = 65536

#: The client's head for a body of that many bytes; None: a stream.
MakeHead = Callable[[int | None], bytes]


class TransposingRelay(Relay):
    """``chunked`` frames the client's stream in chunks; an HTTP/1.0 client gets bare bytes. ``key``
    is the node's, which no client learns.

    A stream goes out as it is translated, anything else in one piece at the end. A reply that
    is no success is collected and judged by the translator.
    """

    __slots__ = (
        "_begun",
        "_chunked",
        "_early",
        "_feed",
        "_judged",
        "_key",
        "_make_head",
        "_most",
        "_refusal",
        "_room",
        "_streams",
        "_translator",
        "_whole",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        head: ResponseHead,
        translator: Translator,
        make_head: MakeHead,
        envelope: Callable[[ProxyError], bytes],
        *,
        streams: bool,
        chunked: bool,
        opened: bool = False,
        key: str | None = None,
    ) -> None:
        def ending(tail: bytes, error: ProxyError) -> bytes:
            return translator.error(envelope(error))

        first = make_head(None) if streams and not opened else b""
        super().__init__(loop, client, first, body_reader(head), Tap(), ending)
        self._translator = translator
        self._feed = translator.feed
        #: Reads shorter than this may be exactly one chunk; 0 where the next byte does not start
        #: a size line, or something is to be done first.
        self._room = 0
        self._most = len(HEADS) if is_on(Trick.ONE_CHUNK) else 0
        self._judged = head if not 200 <= head.status < 300 else None
        self._refusal = b""
        self._early = b""
        self._key = key
        self._whole = b""
        self._begun: asyncio.Future[None] | None = None
        self._make_head = make_head
        self._streams = streams
        self._chunked = chunked

    @property
    def refusal(self) -> tuple[int, bytes]:
        """Where the reply failed before anything of it was told: its status, and the beginning of
        its body."""
        return (self._judged.status, self._refusal) if self._judged else (200, self._early)

    def usage(self, dialect: Dialect) -> Usage:
        return self._translator.usage

    def data_received(self, data: bytes) -> None:
        # The hot path, as the verbatim relay's: a read that is exactly one chunk of a stream that
        # has begun. The long way costs a quarter more per event (bench/NOTES.md).
        size = len(data)
        if size < self._room and data.startswith(HEADS[size]) and data.endswith(b"\r\n"):
            try:
                body = self._feed(data[data.index(b"\n") + 1 : -2])
            except Exception as error:
                self._stumble(error)
                return
            self.events += 1
            if body:
                framed = b"%x\r\n%b\r\n" % (len(body), body)
                self.sent += len(framed)
                try:
                    self._write(framed)
                except RuntimeError:
                    # uvloop's answer where the client's transport has closed, see VerbatimRelay.
                    self.leave(Terminal.CLIENT_GONE)
            return
        self._room = 0
        super().data_received(data)
        self._conclude_soon()
        if (
            self._most
            and self._streams
            and self._chunked
            and self._judged is None
            and not self._head
        ):
            reader = self._reader
            if isinstance(reader, ChunkReader) and reader.between and self.terminal is None:
                self._room = self._most

    async def begun(self) -> None:
        if self.terminal is None and self._is_unsent():
            self._begun = self._loop.create_future()
            await self._begun

    def _send(self, data: bytes) -> None:
        super()._send(data)
        if self._begun is not None:
            self._tell_begun()

    def _end(self, terminal: Terminal) -> None:
        try:
            super()._end(terminal)
        finally:
            self._tell_begun()

    def _tell_begun(self) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    def _sign_of_life(self) -> bytes:
        return self._translator.beat() if self._streams and self._judged is None else b""

    def _is_unsent(self) -> bool:
        return self._silent and (not self._streams or bool(self._head))

    def _open(self) -> None:
        """Nothing yet: see the module."""

    def _pass(self, data: bytes, used: int) -> None:
        payload = b"".join(self._reader.payload)
        if self._judged is not None:
            self._refusal = (self._refusal + payload)[:_MAX_REFUSAL]
            if len(self._refusal) == _MAX_REFUSAL and not self._reader.ended:
                raise StreamBroken("the node's error is too long to be one")
            return
        if len(self._early) < _MAX_REFUSAL and (self.first_byte is None or self._is_unsent()):
            self._early += payload[:_MAX_REFUSAL]
        if payload and (body := self._translator.feed(payload)):
            if not self._streams:
                # Complete, perhaps, but whether the node ends as it promised is yet to be seen.
                self._whole += body
                return
            framed = self._frame(body)
            self._send(framed)
            self.sent += len(framed)

    def _frame(self, payload: bytes) -> bytes:
        return frame_chunk(payload) if self._chunked else payload

    def _is_answered(self) -> bool:
        return self._judged is None and self._translator.complete

    def _is_ended_by_close(self) -> bool:
        return self._streams and not self._chunked

    def _last(self) -> bytes:
        body = self._translator.finish()
        if not self._streams:
            body = self._whole + body
            self._head = self._make_head(len(body))
            return body
        last = self._frame(body) if body else b""
        return last + LAST_CHUNK if self._chunked else last

    def _finish(self, *, surplus: bool) -> None:
        if self._judged is None:
            super()._finish(surplus=surplus)
            return
        self.clean = not surplus
        self._refuse(self._judged)

    def _refuse(self, judged: ResponseHead) -> None:
        refusal = without_key(self._refusal, self._key)
        self._tell(self._translator.refuse(judged.status, judged.headers, refusal))

    def _tell(self, error: ProxyError) -> None:
        if self._is_unsent():
            self.fault = error
            self._end(Terminal.COMPLETED)
        else:
            # The client has been kept waiting with signs of life: its status is settled.
            self.cut(terminal_of(error), error)

    def _break(self, error: StreamBroken) -> None:
        if self._judged is not None and self.terminal is None:
            # An error reply cut short is still an error reply.
            self._refuse(self._judged)
            return
        if self._judged is None and self.terminal is None and self._translator.complete:
            # All was said; how the node left does not matter any more.
            self._finish(surplus=True)
            return
        if isinstance(error, NodeError) and self.terminal is None:
            self._refuse_within(error)
        else:
            super()._break(error)

    def _refuse_within(self, error: NodeError) -> None:
        """An error in a reply of status 200 is judged as an HTTP error is, while it can be."""
        body = without_key(error.body[:_MAX_REFUSAL], self._key)
        fault = self._translator.refuse(error.answered, (), body)
        if isinstance(fault, ClientFault):
            self._tell(fault)
            return
        if not self._is_unsent() or read_within(self._early) is None:
            # A part of the answer had come: whoever repeats it has it generated anew.
            error.said = fault.said
            super()._break(error)
            return
        # It is the node's. Where it says that it has not begun, another may have the request.
        self.lost = error.answered in RETRYABLE_STATUSES
        self.fault = fault
        self._end(Terminal.NODE_BROKE)
