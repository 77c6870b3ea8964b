"""The relay: a reply's body on its way from a node's connection to a client's transport.

While a relay runs it *is* the node transport's protocol: what the node sends arrives in
``data_received`` and leaves in the same call, without a task, a stream reader or a queue in
between. Backpressure is the transports': a client that reads slowly pauses its node. The end of
the message is known exactly, so both connections can be used again after it.

A relay ends once, in one terminal state; ``wait`` returns it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable

from casedesk_proxy.errors import ClientFault, NodeError, ProxyError, StreamBroken
from casedesk_proxy.pools.retry import RETRYABLE_STATUSES
from casedesk_proxy.relay.parting import reset
from casedesk_proxy.replying.completeness import is_answered, is_unfinished
from casedesk_proxy.replying.endings import ArrayTap, is_between_events
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import BodyReader, CloseReader
from casedesk_proxy.wire.chunked import (
    LAST_CHUNK,
    MalformedChunk,
    frame_chunk,
)

__all__ = ["Ending", "ReframingRelay", "Relay"]

log = logging.getLogger(__name__)

#: Seconds in which a node may still end its message behind the protocol's last event: mostly that
#: comes with the next packet, and the node's connection can be used again.
_AFTERWARDS = 0.05

#: Given the last body bytes that went out and the error, the bytes that tell a client of it.
Ending = Callable[[bytes, ProxyError], bytes]

#: Seconds in which a client may still read what was sent before its stream was cut.
FAREWELL = 30.0


class Relay(asyncio.Protocol, ABC):
    """What all relays share. Subclasses say in ``_pass`` what becomes of the node's bytes.

    ``sent`` and ``events`` count what went out and the pieces it came in; ``first_byte`` is the
    loop's time of the first; ``clean`` tells that the node's connection stands at a message's end;
    ``fault`` is the error to answer with where the reply failed before anything of it was sent;
    ``code`` that of the error which cut it; ``lost`` tells that its connection ended too early.
    ``pulse`` are the bytes of a sign of life. ``answers`` is the dialect of a stream that has to
    end as answers in it do; None: any end will do. ``within`` judges an error that is the first
    of a reply of status 200; None: it goes out as it is.
    """

    __slots__ = (
        "_client",
        "_concluding",
        "_connection",
        "_done",
        "_ending",
        "_head",
        "_loop",
        "_node",
        "_reader",
        "_rest",
        "_silent",
        "_write",
        "answers",
        "clean",
        "code",
        "events",
        "fault",
        "first_byte",
        "lost",
        "paused_at",
        "pulse",
        "reason",
        "sent",
        "tap",
        "terminal",
        "within",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        head: bytes,
        reader: BodyReader,
        tap: Tap,
        ending: Ending,
    ) -> None:
        self._loop = loop
        self._client = client
        self._write = client.write
        self._head = head
        #: Whether nothing has been written to the client yet.
        self._silent = True
        self._reader = reader
        #: Of the node's bytes, those that wait for the next round: see `ChunkReader`.
        self._rest = b""
        self._ending = ending
        self._concluding: asyncio.TimerHandle | None = None
        self._connection: NodeConnection | None = None
        self._node: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self.tap = tap
        self.terminal: Terminal | None = None
        self.clean = False
        self.code = self.reason = ""
        self.fault: ProxyError | None = None
        self.lost = False
        self.pulse = b""
        self.answers: Dialect | None = None
        self.within: Callable[[NodeError], ProxyError] | None = None
        self.first_byte: float | None = None
        self.sent = 0
        self.events = 0
        self.paused_at: float | None = None

    def begin(self, connection: NodeConnection) -> None:
        """Send the head to the client, in one piece with what has come of the body, and take over
        the node's connection for the rest."""
        early, connection.early = connection.early, b""
        self._connection = connection
        if self._reader.ended:
            try:
                self._open()
                self._finish(surplus=bool(early))
            except Exception as error:
                self._stumble(error)
        elif early:
            self.data_received(early)
        else:
            self._open()
        if self.terminal is None:
            self._node = connection.lend(self)
            if self._node is None:
                self.connection_lost(connection.lost_by)
            elif self.paused_at is not None or self._rest:
                self._node.pause_reading()

    @property
    def unsent(self) -> bool:
        """Whether it runs, and nothing of the reply has been sent."""
        return self.terminal is None and self._is_unsent()

    def usage(self, dialect: Dialect) -> Usage:
        """The token counts that the node told in its reply, spoken in ``dialect``."""
        self._recall()
        return self.tap.usage(dialect)

    async def wait(self) -> Terminal:
        """The terminal state, once there is one."""
        if self.terminal is None:
            self._done = self._loop.create_future()
            await self._done
        assert self.terminal is not None
        return self.terminal

    def leave(self, terminal: Terminal) -> None:
        """The client went, or reads no more: close both sides at once. One that has gone with the
        protocol's last event, as SDKs do, has all of its reply."""
        if self.terminal is not None:
            return
        try:
            if terminal is Terminal.CLIENT_GONE and self._is_answered():
                terminal = Terminal.COMPLETED
            self._drop_client()
        except Exception:
            log.exception("a reply failed by a bug as its client left")
        self._end(terminal)

    def conclude(self) -> None:
        """End a reply whose answer is complete, though its node has not ended the message."""
        try:
            if self.terminal is None and self._is_answered():
                self._finish(surplus=True)
        except Exception as error:
            self._stumble(error)

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        """Stop a stream whose client still listens: a silent node, a daemon that must stop.

        The client is told why, then its connection is closed without the message's end. By a
        FIN, since a reset would overtake the error on its way; by a reset where nothing can be
        told and a FIN is the message's proper end.
        """
        if self.terminal is not None:
            return
        self.code, self.reason = error.code, error.reason
        if self._is_unsent():
            # Without its traceback, whose frames hold this relay.
            self.fault = error.with_traceback(None)
            self._end(terminal)
            return
        self._recall()
        ending = self._ending(self.tap.last, error)
        framed = self._frame(ending) if ending and not self._client.is_closing() else b""
        if framed:
            self._send(framed)
            self.sent += len(framed)
        self._end(terminal)
        if self._is_ended_by_close() and not framed:
            self._drop_client()
            return
        self._client.close()
        if self._client.get_write_buffer_size():
            self._loop.call_later(FAREWELL, self._drop_client)

    def fail(self) -> None:
        """Something was raised that nobody foresaw, and is handled now: the node's reply, or we,
        are at fault. It ends like a reply that broke, whatever had been said; the client is told as
        far as that goes, and both connections are closed."""
        log.exception("a reply failed by a bug while it was delivered")
        self.clean = False
        try:
            self.cut(Terminal.FAILED, ProxyError("internal error"))
        except Exception:
            log.exception("a client could not be told of a bug")
        finally:
            if self.terminal is None:
                self._drop_client()
                self._end(Terminal.FAILED)
            elif self._connection is not None and not self.clean:
                self._connection.abort()

    async def begun(self) -> None:
        """Until something of the reply has been sent to the client, or it has ended."""

    def beat(self) -> None:
        """A sign of life for a client that has heard nothing for long, where it has a place."""
        if self.terminal is not None or self.paused_at is not None or self._client.is_closing():
            return
        sign = self._sign_of_life()
        if sign and (framed := self._frame(sign)):
            self._send(framed)
            self.sent += len(framed)

    def _drop_client(self) -> None:
        """Close at once. What is still on its way ends in a FIN, which some take for the end."""
        if self._is_ended_by_close():
            reset(self._client)
        else:
            self._client.abort()

    # What the node's transport calls.

    def data_received(self, data: bytes) -> None:
        if self.terminal is not None:
            self.clean = False
            return
        if self._client.is_closing():
            self.leave(Terminal.CLIENT_GONE)
            return
        try:
            self._take(data)
        except Exception as error:
            self._stumble(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._node = None
        try:
            self._lose(exc)
        except Exception as error:
            self._stumble(error)

    def _take(self, data: bytes) -> None:
        used = self._reader.read(data)
        self._pass(data, used)
        if self.first_byte is None:
            self.first_byte = self._loop.time()
        self.events += 1
        if self._reader.ended:
            self._finish(surplus=used < len(data))
        elif used < len(data) and self.terminal is None:
            self._put_off(data[used:])

    def _lose(self, exc: Exception | None) -> None:
        if self.terminal is not None:
            self.clean = False
        elif self._rest:
            # What came before goes before.
            self._loop.call_soon(self.connection_lost, exc)
        elif exc is None and isinstance(self._reader, CloseReader):
            self._finish(surplus=True)
        else:
            self.lost = True
            self._break(StreamBroken("the node closed the connection in the middle of its reply"))

    def _stumble(self, error: Exception) -> None:
        """What was raised over the node's bytes, being handled now: the node's doing or a bug."""
        if isinstance(error, MalformedChunk):
            error = StreamBroken("the node's reply is malformed")
        if not isinstance(error, StreamBroken):
            self.fail()
            return
        try:
            self._break(error)
        except Exception:
            self.fail()

    # What the client's connection calls.

    def pause(self) -> None:
        """The client's buffer is full."""
        self.paused_at = self._loop.time()
        if self._node is not None and not self._node.is_closing():
            self._node.pause_reading()

    def resume(self) -> None:
        self.paused_at = None
        if self._node is not None and not self._node.is_closing() and not self._rest:
            self._node.resume_reading()

    # What becomes of the node's bytes.

    def _is_answered(self) -> bool:
        """Whether the protocol's last event has come."""
        if self.answers is None:
            return False
        self._recall()
        return is_answered(self.answers, self.tap.last)

    def _conclude_soon(self) -> None:
        if self.terminal is None and self._concluding is None and self._is_answered():
            self._concluding = self._loop.call_later(_AFTERWARDS, self.conclude)

    def _put_off(self, rest: bytes) -> None:
        """It is more than one round of the loop should bear."""
        self._rest = rest
        if self._node is not None and not self._node.is_closing():
            self._node.pause_reading()
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        rest, self._rest = self._rest, b""
        if self.terminal is not None:
            return
        if self.paused_at is None:
            self.resume()
        self.data_received(rest)

    def _recall(self) -> None:
        """Give the tap what went by without it."""

    def _open(self) -> None:
        self._send(b"")

    def _sign_of_life(self) -> bytes:
        """Never inside an event or an element that the node has begun."""
        self._recall()
        tap = self.tap
        between = tap.between if isinstance(tap, ArrayTap) else is_between_events(tap.last)
        return self.pulse if self.pulse and between else b""

    def _is_ended_by_close(self) -> bool:
        """Whether the client takes the connection's end for the message's."""
        return False

    def _is_unsent(self) -> bool:
        """Whether nothing has been sent, so that an error can still be a plain reply."""
        return bool(self._head)

    def _send(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        self._silent = False
        self._write(data)

    @abstractmethod
    def _pass(self, data: bytes, used: int) -> None:
        """What becomes of the node's bytes; the first ``used`` of ``data`` are the message's."""

    def _last(self) -> bytes:
        """What still goes out when the node's message is complete."""
        return b""

    def _frame(self, payload: bytes) -> bytes:
        """Body bytes of our own, framed for the client; empty where they cannot be."""
        return b""

    # Ends.

    def _check_finished(self) -> None:
        """Raises StreamBroken where the node's message is complete and its answer is not."""
        if self.answers is not None and is_unfinished(self.answers, self.tap.first, self.tap.last):
            raise StreamBroken("the node ended its reply in the middle of the answer")

    def _finish(self, *, surplus: bool) -> None:
        last = self._last()
        if last and not self._client.is_closing():
            self._send(last)
            self.sent += len(last)
        self.clean = not surplus
        self._end(Terminal.COMPLETED)

    def _break(self, error: StreamBroken) -> None:
        if isinstance(error, NodeError) and self.within is not None and self._is_unsent():
            # Where the node says that it has not begun, another may have the request.
            self.lost = error.answered in RETRYABLE_STATUSES
            self.fault = self.within(error)
            own = isinstance(self.fault, ClientFault)
            self._end(Terminal.COMPLETED if own else Terminal.NODE_BROKE)
            return
        self.cut(Terminal.NODE_BROKE, error)

    def _check_begins(self, payload: bytes) -> None:
        """Raises NodeError where the first that comes of a reply is an error."""
        if self.within is not None and self._head and (error := read_within(payload)) is not None:
            raise error

    def _end(self, terminal: Terminal) -> None:
        self.terminal = terminal
        # From here on the node's transport is another's: nothing that the client does reaches it.
        self._node = None
        if self._concluding is not None:
            self._concluding.cancel()
        try:
            if self._connection is not None:
                if self.clean:
                    self._connection.take_back()
                else:
                    self._connection.abort()
        finally:
            if self._done is not None and not self._done.done():
                self._done.set_result(None)


class ReframingRelay(Relay):
    """The client needs another framing than the node's: chunks where the node just closes, or
    bare bytes for an HTTP/1.0 client."""

    __slots__ = ("_chunked",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        head: bytes,
        reader: BodyReader,
        tap: Tap,
        ending: Ending,
        *,
        chunked: bool,
    ) -> None:
        super().__init__(loop, client, head, reader, tap, ending)
        self._chunked = chunked

    def _pass(self, data: bytes, used: int) -> None:
        self._pass_on(b"".join(self._reader.payload))
        self._conclude_soon()

    def _pass_on(self, payload: bytes) -> None:
        if payload:
            if self._head:
                self._check_begins(payload)
            self.tap.take(payload)
            framed = self._frame(payload)
            self._send(framed)
            self.sent += len(framed)

    def _frame(self, payload: bytes) -> bytes:
        return frame_chunk(payload) if self._chunked else payload

    def _is_ended_by_close(self) -> bool:
        return not self._chunked

    def _last(self) -> bytes:
        self._check_finished()
        return LAST_CHUNK if self._chunked else b""
