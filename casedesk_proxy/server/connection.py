"""A client's connection: reads requests, and sends what the handler writes.

While a reply streams, a client only needs this object, its client's side, one fiber and the relay.
If a client leaves, its handler is cancelled in every phase: at once, or in turns for a crowd.

    idle ──head──▶ receiving ──body's end──▶ answering ──▶ idle | parting ──▶ closed

What has arrived and waits is handled in turns, see `turns`: one request of a connection at a time,
and a limited number of chunks of a body. Meanwhile nothing more is read from the connection.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import cast

from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.fastpath.fibers import Run, make_run
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.server.client import ConnectedClient
from casedesk_proxy.server.client_timeouts import ClientTimeouts
from casedesk_proxy.server.halfclosed import HalfClosed
from casedesk_proxy.server.incoming import Incoming, read_head
from casedesk_proxy.server.owner import Owner
from casedesk_proxy.wire.http1 import RequestHead

__all__ = ["ClientConnection"]

#: The size of the loop's largest reads, of which up to 32 come in a row.
_LARGE_READ_BYTES = 131072


class ClientConnection(asyncio.Protocol):
    """``client`` is the peer, ``fiber`` the running answer, if there is one."""

    __slots__ = (
        "__weakref__", "_half", "_incoming", "_parting", "_queued", "_request", "_server",
        "_timeouts", "client", "fiber",
    )  # fmt: skip

    #: Set once the connection is open, not before: they and it refer to each other, and nothing of
    #: a failed handshake may remain.
    client: ConnectedClient
    _timeouts: ClientTimeouts

    def __init__(self, server: Owner[ClientConnection]) -> None:
        self._server = server
        self._incoming = Incoming()
        self._queued = False  # whether another turn was requested
        #: Whether the reply was sent completely, and further bytes are dropped.
        self._parting = False
        self._half: HalfClosed | None = None  # set once the client has closed its side
        self._request: ClientRequest | None = None
        self.fiber: Run | None = None

    # Callbacks of the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.client = ConnectedClient(cast(asyncio.Transport, transport), self, self._server)
        self._server.admit(self)
        self._timeouts = ClientTimeouts(self, self._server)
        self._timeouts.start_idle()

    def data_received(self, data: bytes) -> None:
        if self._parting:
            return
        self._incoming.add(data)
        if len(data) >= _LARGE_READ_BYTES and not self._queued and not self._is_whole():
            # Continue in the next round.
            self._ask_for_turn()
        if self._queued:
            self.adjust_reading()
        else:
            self._take_turn()

    def eof_received(self) -> bool:
        """The client has closed, or at least will send no more."""
        if not self._server.turns.defer(partial(self._hear_end, time.perf_counter())):
            self.client.pause_relay()
        return not self._server.handshake_timeout_s and not self.client.has_left  # Not over TLS.

    def _hear_end(self, since: float) -> None:
        """The client ended its side; it may still wait for its replies: see `halfclosed`."""
        transport = self.client.flushed_transport()
        waits = self._queued or (self.client.is_clogged and bool(self._incoming.data))
        if transport is None or self._parting or not (waits or self.fiber is not None):
            self.client.close()
            return
        self._half = half = HalfClosed(self, transport, since)
        if half.is_possible and self._may_stay(half):
            half.watch(self._server.hangups)
        else:
            self.client.leave(since)

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.lose()
        if self._half is not None:
            self._half.end()  # at once: its descriptor may be reused
        self._end() if self.fiber is None else self._server.turns.defer(self._end)

    def _end(self) -> None:
        self._half = None
        self._server.forget(self)
        self._timeouts.end()
        self._incoming.clear()
        self.client.end()
        if self.fiber is not None:
            self.fiber.cancel()
        elif self._request is not None:
            self._request.release()
            self._request = None

    def pause_writing(self) -> None:
        self.client.clog()

    def resume_writing(self) -> None:
        self.client.unclog()
        if self.client.is_open and self._request is None and self._incoming.data:
            self._ask_for_turn()

    # Called by the server.

    def is_quiet(self) -> bool:
        """Whether all that has arrived is handled, or waits for its answer."""
        waits = self._queued or self._parting or self._half or self._incoming.data
        return not waits and self._is_whole() is (self.fiber is not None)

    def finish_soon(self) -> None:
        """The server closes; see `PublicServer.close_idle`."""
        if self._request is not None:
            self._request.head = replace(self._request.head, keep_alive=False)
        else:
            self._timeouts.restart_idle()

    # Handling what has arrived, turn by turn.

    def _is_whole(self) -> bool:
        return self._request is not None and self._request.complete

    def _ask_for_turn(self) -> None:
        if not self._queued:
            self._queued = True
            self._server.turns.add(self._take_late_turn)

    def _take_late_turn(self) -> None:
        self._queued = False
        if self.client.is_open and not self._parting:
            self._take_turn()

    def _take_turn(self) -> None:
        request = self._request
        if request is None:
            if self.client.is_clogged or not self._incoming.data:
                # A client that does not read its answers gets no more of them.
                self.adjust_reading()
            elif self._begin_next():
                self.go_on()
            elif self._half is not None:
                self.client.close()
        elif not request.complete:
            self._incoming.feed(request)
            self.go_on()
            request.wake()
        else:
            self.adjust_reading()

    def go_on(self) -> None:
        """Ask for another turn if there is work for it."""
        request = self._request
        if self._incoming.data and (request is None or (request.wants and not request.complete)):
            self._ask_for_turn()
        elif self._half is not None and self.fiber is not None and not self._is_whole():
            # The rest of its body will never arrive.
            self.client.leave(self._half.since)
        self.adjust_reading()

    def adjust_reading(self) -> None:
        """Resume or pause reading."""
        request, incoming, client = self._request, self._incoming, self.client
        if request is None and not (client.is_paused or self._queued or incoming.data):
            return
        must_wait = not self._parting and (self._queued or not incoming.may_grow(request))
        must_wait = must_wait or (client.is_clogged and request is None and bool(incoming.data))
        client.pause_reading() if must_wait else client.resume_reading()

    def _begin_next(self) -> bool:
        """Whether a request was begun: not if the end of its head is missing."""
        server, block = self._server, None
        try:
            block = self._incoming.take_head()
            if block is None:
                if self._incoming.data:
                    self._timeouts.start_head()
                self.adjust_reading()
                return False
            head = read_head(server.heads, block)
        except BadRequest as error:
            self._reject(error.with_traceback(None), block or b"")
            return False
        self._begin(head)
        return True

    def _begin(self, head: RequestHead) -> None:
        server = self._server
        self._timeouts.stop_head()
        if server.closing or server.surplus:
            server.surplus = max(server.surplus - head.keep_alive, 0)
            head = replace(head, keep_alive=False)
        self.client.flush()
        self._request = request = ClientRequest(head, self.client, server.body_memory)
        self._incoming.feed(request)
        self.fiber = make_run(server.loop, server.answer(request), self._answered)
        self.fiber.start()

    # The end of a request, and of the connection.

    def _answered(self, keep_alive: bool | None) -> None:
        """The fiber has ended; None: cancelled."""
        self.fiber = None
        self._server.note_rest()
        client, request = self.client, self._request
        if request is not None:
            request.release()
        if client.has_left:
            self._request = None
            return
        if keep_alive is None:
            client.close()  # the server closes, or after an internal error: no other code would
        if keep_alive is None or request is None or not client.is_open:
            client.watch_stall()
        elif not request.complete:
            self._linger(request)
        elif not keep_alive:
            self._part() if self._incoming.data or client.is_paused else client.close()
        else:
            self._await_next()

    def _await_next(self) -> None:
        self._request = None
        self._timeouts.start_idle()
        if self.client.is_clogged:
            self.client.watch_stall()
        if self._incoming.data:
            self._ask_for_turn()
        elif self._half is not None:
            self.client.close()

    def _linger(self, request: ClientRequest) -> None:
        """Read no more, but let the client finish: it may read only after it has sent all."""
        self.client.flush()
        if self._half is not None and not self._incoming.data:
            self.client.close()
        else:
            request.discard(self.client.close)
            self.go_on()
            self._timeouts.linger()

    def _part(self) -> None:
        """The reply is sent, but the client may still send: a reset by closing now might overtake
        the reply."""
        if self._half is not None:
            self.client.close()
            return
        self._parting = True
        self._incoming.clear()
        self.adjust_reading()
        self.client.finish()
        self._timeouts.linger()

    def _reject(self, error: ProxyError, head: bytes = b"") -> None:
        """Answer an invalid request whose bytes have been taken; more of it may arrive."""
        self._server.reject(self.client, head or self._incoming.peek(), error)
        self._part()

    # Called for a half-closed connection: see `halfclosed`.

    def _may_stay(self, half: HalfClosed) -> bool:
        # The rest of an unfinished body cannot arrive any more, unless it waits here.
        is_complete = self._is_whole() or self._queued
        return self.fiber is None or (is_complete and (half.reports_close or self.is_unanswered()))

    def is_unanswered(self) -> bool:
        """Whether a request waits for its reply's head, so that an interim reply is allowed."""
        request = self._request
        return self.fiber is not None and request is not None and request.awaits_head

    # Called by `ClientTimeouts`.

    def is_idle(self) -> bool:
        return self._request is None and not self.client.has_left and not self._incoming.data

    def is_held_up(self) -> bool:
        return self._queued or self.client.is_clogged

    def refuse_head(self) -> None:
        if self.client.is_open:
            self._reject(BadRequest("the request's head took too long; send it again", status=408))
