"""A WebSocket between a client and a node: bytes in both directions, as they arrive, until one side
closes.

After the node's 101, this object contains the protocols of both transports. The transports apply
backpressure: a side that reads slowly pauses the other. Frames are followed, not read, so that a
close frame can be inserted between two: 1012 to both sides if the service stops, 1011 to the client
if its node is lost, 1001 if neither side has sent anything for too long. Inside a frame this is not
possible, and the connection just ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Protocol

from casedesk_proxy.errors import InternalFault, ProxyError
from casedesk_proxy.relay.progress import Progress
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.websocket import (
    CloseCode,
    FrameFollower,
    close_frame,
)

__all__ = ["Tunnel"]

log = logging.getLogger(__name__)

_CODES = {Terminal.SHUT_DOWN: CloseCode.RESTART, Terminal.TIMED_OUT: CloseCode.GOING_AWAY}
_LOST = "the node closed the connection without closing the WebSocket"


class _Client(Protocol):
    """The methods of `relay.request.Client` that it needs."""

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport | None: ...
    def give_back(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Tunnel(asyncio.Protocol):
    """See the module and `flow.Flow`. ``received`` and ``sent`` count bytes from and to the client,
    ``events`` the pieces of both directions; ``first_byte`` is the loop's time of the node's first
    byte."""

    __slots__ = (
        "_client", "_connection", "_from_client", "_from_node", "_loop", "_node", "_transport",
        "code", "events", "first_byte", "paused_at", "progress", "reason", "received", "sent",
        "terminal",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: _Client,
        connection: NodeConnection,
        turns: Turns | None = None,
    ) -> None:
        self._loop = loop
        self._client = client
        self._connection = connection
        self._transport: asyncio.Transport | None = None
        self._node: asyncio.Transport | None = None
        self._from_node = FrameFollower()
        self._from_client = FrameFollower()
        self.progress = Progress(loop, turns or Turns(loop))
        self.terminal: Terminal | None = None
        self.code = self.reason = ""
        self.first_byte: float | None = None
        self.paused_at: float | None = None
        self.events = self.sent = self.received = 0

    is_unsent = False

    def begin(self, head: bytes) -> None:
        """Send the node's handshake to the client, with the bytes that followed it."""
        connection = self._connection
        early, connection.buffered_body = connection.buffered_body, b""
        self._transport = self._client.take_over(_ClientSide(self))
        if self._transport is None:
            self.leave(Terminal.CLIENT_GONE)
            return
        self._transport.write(head)
        if early:
            self.data_received(early)
        self._node = connection.attach(self)
        if self._node is None:
            self.connection_lost(connection.lost_by)

    # Callbacks of the node's transport.

    def data_received(self, data: bytes) -> None:
        if self.terminal is not None or self._transport is None:
            return
        self._from_node.follow(data)
        self.events += 1
        self.sent += len(data)
        if self.first_byte is None:
            self.first_byte = self._loop.time()
        try:
            self._transport.write(data)
        except RuntimeError:
            # See `Relay.data_received`.
            self.leave(Terminal.CLIENT_GONE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._node = None
        if self.terminal is not None:
            return
        if self._is_closing:
            self._end(Terminal.COMPLETED)
        else:
            self.code, self.reason = "node_broke", _LOST
            self._close_client(CloseCode.ERROR, _LOST)
            self._end(Terminal.NODE_BROKE)

    def pause_writing(self) -> None:
        """The node accepts no more of the client's bytes."""
        self._client.pause_reading()

    def resume_writing(self) -> None:
        if self.terminal is None:
            self._client.resume_reading()

    # Callbacks of the client's side.

    def take(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self.terminal is not None or self._node is None:
            return
        self._from_client.follow(data)
        self.events += 1
        self.received += len(data)
        try:
            self._node.write(data)
        except RuntimeError:
            # It has closed, and `connection_lost` follows.
            self._node = None

    def pause(self) -> None:
        self.paused_at = self._loop.time()
        if self._node is not None:
            self._node.pause_reading()

    def resume(self) -> None:
        self.paused_at = None
        if self._node is not None and self.terminal is None:
            self._node.resume_reading()

    def leave(self, terminal: Terminal) -> None:
        if self.terminal is None:
            if self._is_closing and terminal is Terminal.CLIENT_GONE:
                terminal = Terminal.COMPLETED
            self._end(terminal)

    # Called by `Watch` and by a stop.

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        if self.terminal is not None:
            return
        self.code, self.reason = error.code, error.reason
        code = _CODES.get(terminal, CloseCode.ERROR)
        self._close_client(code, error.message)
        node = self._node
        # A node that reads nothing would keep the connection open after the frame.
        if node is not None and self._from_client.at_boundary and not node.get_write_buffer_size():
            node.write(close_frame(code, error.message, os.urandom(4)))
            self._connection.part()
        self._end(terminal)

    def conclude(self) -> None:
        """Does nothing: only the two sides end the conversation."""

    def keep_alive(self) -> None:
        """Does nothing: both sides send pings themselves."""

    def fail(self) -> None:
        log.exception("internal error in a WebSocket")
        self.cut(Terminal.FAILED, InternalFault())

    @property
    def _is_closing(self) -> bool:
        return self._from_node.closed or self._from_client.closed

    def _close_client(self, code: int, reason: str) -> None:
        if self._transport is None or self._transport.is_closing() or self._from_node.closed:
            return
        if self._from_node.at_boundary:
            frame = close_frame(code, reason)
            self.sent += len(frame)
            self._transport.write(frame)

    def _end(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._node = None
        try:
            self._connection.abort()
        finally:
            if self._transport is not None:
                self._client.give_back()
            self.progress.end()


class _ClientSide(asyncio.Protocol):
    """Reads the client's bytes for a tunnel."""

    __slots__ = ("_tunnel",)

    def __init__(self, tunnel: Tunnel) -> None:
        self._tunnel = tunnel

    def data_received(self, data: bytes) -> None:
        self._tunnel.take(data)

    def eof_received(self) -> bool:
        """A WebSocket has no half-closed state: a peer that closes its side has left."""
        self._tunnel.leave(Terminal.CLIENT_GONE)
        return False
