"""The client at the other end of a connection: writes to it, and closing it.

It owns the transport. The connection reads and decides; handlers and relays only know this side.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol, cast

from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.fibers import Run
from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.relay.parting import reset
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.server.peers import peer_of
from casedesk_proxy.server.quiet import QuietClients
from casedesk_proxy.server.stalls import Stalls

__all__ = ["ConnectedClient"]


class _Shared(Protocol):
    """What the clients of one server share."""

    cork: CorkedWrites
    stalls: Stalls
    quiet: QuietClients


class _Reader(Protocol):
    fiber: Run | None

    def go_on(self) -> None:
        """More of the request may be read, or no more for now."""

    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


class _Lent(asyncio.Protocol):
    """The client's bytes go to ``reader``; everything else is its connection's task as before."""

    __slots__ = ("_owner", "data_received", "eof_received")

    def __init__(self, reader: asyncio.Protocol, owner: _Reader) -> None:
        self.data_received = reader.data_received  # type: ignore[method-assign]
        self.eof_received = reader.eof_received  # type: ignore[method-assign]
        self._owner = owner

    def pause_writing(self) -> None:
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        self._owner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connection_lost(exc)


class ConnectedClient:
    """See `relay.parties.Client`. ``is_clogged``: it does not read what was written; ``is_paused``:
    it is not read. ``end`` must be called: it and ``reader`` refer to each other."""

    __slots__ = (
        "_reader", "_shared", "_transport", "_watched", "gone_at", "is_clogged", "is_paused",
        "peer", "relay",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, reader: _Reader, shared: _Shared) -> None:
        self._transport: asyncio.Transport | None = transport
        self._reader: _Reader | None = reader
        self._shared = shared
        #: Its descriptor while it is watched apart, else -1.
        self._watched = -1
        self.peer = peer_of(transport)
        self.relay: Flow | None = None
        self.gone_at: float | None = None
        self.is_clogged = False
        self.is_paused = False

    @property
    def has_left(self) -> bool:
        return self._transport is None

    @property
    def is_open(self) -> bool:
        """Whether a write may still reach it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def unsent(self) -> int | None:
        """Bytes that are written and not yet sent; None once the connection has ended."""
        return None if self._transport is None else self._transport.get_write_buffer_size()

    # Writing.

    def flushed_transport(self) -> asyncio.Transport | None:
        """The transport, for code that writes a whole reply. Writes held messages first."""
        self.flush()
        return self._transport

    def write(self, message: bytes) -> None:
        """Write after what is held; does nothing if the client has left."""
        if self._transport is not None:
            self.flush()
            self._transport.write(message)

    def write_whole(self, message: bytes) -> None:
        """Write a whole reply, together with those to others."""
        if self._transport is not None:
            self._shared.cork.write(self._transport, message)

    def flush(self) -> None:
        if self._transport is not None:
            self._shared.cork.flush(self._transport)

    def clog(self) -> None:
        """The client accepts no more for now: pause its relay, or watch for a stall."""
        self.is_clogged = True
        if self.relay is not None:
            self.relay.pause()
        else:
            self._shared.stalls.watch(self)

    def unclog(self) -> None:
        self.is_clogged = False
        if self.relay is not None:
            self.relay.resume()
        if self.is_open:
            self._shared.stalls.forget(self)

    def pause_relay(self) -> None:
        """Pause the node until it is known whether the client has left. If many leave at once,
        reading what their nodes send takes longer than closing them."""
        if self.relay is not None:
            self.relay.pause()

    def resume_relay(self) -> None:
        """Undo `pause_relay`: the client has not left."""
        if self.relay is not None and not self.is_clogged:
            self.relay.resume()

    def watch_stall(self) -> None:
        """Close the connection if the client stops reading what was written."""
        self._shared.stalls.watch(self)

    def cancel_answer(self) -> None:
        fiber = None if self._reader is None else self._reader.fiber
        if fiber is not None:
            fiber.cancel()

    # Reading.

    def read_more(self) -> None:
        if self._reader is not None:
            self._reader.go_on()

    def pause_reading(self) -> None:
        if self._transport is not None and not self.is_paused and not self._transport.is_closing():
            self.wake()
            self.is_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and self.is_paused and not self._transport.is_closing():
            self.wake()
            self.is_paused = False
            self._transport.resume_reading()

    def stand_by(self) -> int:
        """Stop reading a client that is not expected to send anything: see `QuietClients`."""
        transport = self._transport
        # If its end was read, it is read no more.
        if transport is None or not transport.is_reading() or transport.get_write_buffer_size():
            return -1
        number: int = transport.get_extra_info("socket").fileno()
        self._watched = number
        transport.pause_reading()
        return number

    def wake(self) -> None:
        """Undo `stand_by`: the client sends something, or must no longer be watched apart."""
        if self._watched >= 0:
            self._stop_watch()
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

    def _stop_watch(self) -> None:
        self._shared.quiet.forget(self._watched)
        self._watched = -1

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport | None:
        self.flush()
        if self._transport is None or self._reader is None:
            return None
        self._transport.set_protocol(_Lent(reader, self._reader))
        return self._transport

    def give_back(self) -> None:
        """Let the connection read the client again. Reading is paused, so that what the client
        still sends is known to be dropped: see `ClientConnection`."""
        if self._transport is not None and self._reader is not None:
            self._transport.set_protocol(cast(asyncio.Protocol, self._reader))
            self.pause_reading()

    # Closing.

    def finish(self) -> None:
        """Close our direction, since all is written; the client may still send."""
        self.flush()
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """Close after what has been written is sent, or the timeout for that."""
        self.flush()
        if self._transport is not None:
            self._shared.stalls.watch(self)
            self._transport.close()

    def reset(self) -> None:
        """End it so that no part of a reply looks complete."""
        if self._transport is not None:
            reset(self._transport)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def leave(self, since: float) -> None:
        """End everything for a client that has gone, at ``since`` by time.perf_counter, though
        bytes may still wait for it."""
        self.gone_at = since
        if self.relay is not None:
            self.relay.leave(Terminal.CLIENT_GONE)
        self.abort()
        self.lose()
        self.cancel_answer()

    def lose(self) -> None:
        """Drop the transport, since the connection has ended. Call ``end`` next."""
        self._transport = None
        if self._watched >= 0:
            self._stop_watch()
        if self.gone_at is None:
            self.gone_at = time.perf_counter()

    def end(self) -> None:
        self.lose()
        self._reader = None
        self._shared.stalls.forget(self)
        if self.relay is not None:
            self.relay.leave(Terminal.CLIENT_GONE)
