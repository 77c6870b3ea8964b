"""The node's connection, for as long as a relay has it."""

from __future__ import annotations

import asyncio

from casedesk_proxy.upstream.connection import NodeConnection

__all__ = ["NodeSide"]


class NodeSide:
    """Attached by ``attach``, returned or closed by ``let_go``; otherwise nothing is done to it.
    ``is_lost``: the node has ended it, possibly only one direction."""

    __slots__ = ("_connection", "_transport", "is_lost")

    def __init__(self) -> None:
        self.is_lost = False
        self._connection: NodeConnection | None = None
        self._transport: asyncio.Transport | None = None

    def take(self, connection: NodeConnection) -> bytes:
        """Returns the body bytes that have already arrived."""
        self._connection = connection
        early, connection.buffered_body = connection.buffered_body, b""
        return early

    def attach(self, relay: asyncio.Protocol) -> bool:
        """Make ``relay`` the protocol; False if the node has already closed the connection."""
        assert self._connection is not None
        self._transport = self._connection.attach(relay)
        return self._transport is not None

    @property
    def has_halves(self) -> bool:
        """Whether one direction can be closed without the other: not over TLS."""
        transport = self._transport
        return transport is not None and transport.get_extra_info("sslcontext") is None

    def lose(self) -> None:
        """The node has gone."""
        self.is_lost = True
        self._transport = None

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def let_go(self, *, clean: bool) -> None:
        """Return the connection, or close it unless it is ``clean``: at the end of the message.
        From here on another exchange may use the transport, so nothing that the client does may
        affect it."""
        self._transport = None
        if self._connection is not None:
            if clean:
                self._connection.detach()
            else:
                self._connection.abort()
