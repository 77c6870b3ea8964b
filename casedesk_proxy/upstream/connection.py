"""One connection to a node: sends a request, waits for the reply's head, and passes the connection
to a relay.

A connection is idle, waits for a head, or has a protocol attached. An attached relay is the
transport's protocol, so it receives the node's bytes directly; `detach` ends that.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.fastpath.head_cache import HeadCache
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.deadlines import Deadlines
from casedesk_proxy.upstream.uploading import Upload
from casedesk_proxy.wire.http1 import (
    MAX_HEAD_BYTES,
    MalformedMessage,
    ResponseHead,
    header,
    parse_response_head,
)

__all__ = ["ConnectionBroken", "NodeConnection"]

#: How many bytes of a body may arrive before a relay is attached; beyond that, reading pauses.
MAX_BUFFERED_BYTES = 262144
#: The most interim replies (1xx) to one request; some proxies send a few 102 or 103.
MAX_INTERIM_REPLIES = 64


class ConnectionBroken(Exception):
    """The node closed or reset the connection, or sent an invalid head. ``silent``: no byte of a
    reply had arrived; ``lost``: the connection ended, rather than carrying invalid bytes."""

    def __init__(self, message: str, silent: bool, lost: bool = True) -> None:
        super().__init__(message)
        self.silent = silent
        self.lost = lost


class NodeConnection(asyncio.Protocol):
    """One connection to a node. ``buffered_body``: bytes that arrived before a relay was attached;
    ``lost``: the node has closed the connection, ``lost_by`` with which error (None: a plain
    FIN)."""

    __slots__ = (
        "_buffer",
        "_cork",
        "_deadlines",
        "_heads",
        "_interim",
        "_loop",
        "_turns",
        "_upgrades",
        "_waiter",
        "buffered_body",
        "lost",
        "lost_by",
        "transport",
        "upload",
        "uses",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deadlines: Deadlines | None = None,
        heads: HeadCache[ResponseHead] | None = None,
        cork: CorkedWrites | None = None,
        turns: Turns | None = None,
    ) -> None:
        """``deadlines``, ``heads``, ``cork`` and ``turns`` are shared with the node's other
        connections."""
        self._loop = loop
        self._deadlines = deadlines or Deadlines(loop)
        self._heads = heads or HeadCache(parse_response_head)
        self._cork = cork or CorkedWrites(loop)
        self._turns = turns or Turns(loop)
        self._buffer = b""
        #: How many interim replies the request has received.
        self._interim = 0
        #: Whether the request asks for another protocol.
        self._upgrades = False
        self._waiter: OneShot[ResponseHead] | None = None
        self.transport: asyncio.Transport | None = None
        #: The rest of the body, for a request that was sent without all of it.
        self.upload: Upload | None = None
        self.buffered_body = b""
        self.lost = False
        self.lost_by: Exception | None = None
        self.uses = 0

    def send_request(
        self, request: bytes, within_s: float = float("inf"), *, upgrades: bool = False,
        at_once: bool = False,
    ) -> OneShot[ResponseHead]:  # fmt: skip
        """Send a request; awaiting the result gives the reply's head. Up to MAX_INTERIM_REPLIES
        interim replies (1xx) are skipped. ``upgrades``: the request asks for another protocol, so
        that 101 is a reply to it; ``at_once``: send it without waiting for other writes of this
        round.

        The result raises ConnectionBroken, or TimeoutError after ``within_s``, when it is
        awaited. A caller that is cancelled or gets TimeoutError must `abort` the connection.
        """
        waiter: OneShot[ResponseHead] = OneShot(self._loop)
        if self.lost or self.transport is None:
            waiter.fail(ConnectionBroken("closed before the request", silent=True))
            return waiter
        self.uses += 1
        self._interim = 0
        self._upgrades = upgrades
        self._waiter = waiter
        self._deadlines.add(waiter, within_s)
        self._cork.write(self.transport, request)
        if at_once:
            self._cork.flush(self.transport)
        return waiter

    def send_more(self, data: bytes) -> None:
        """Send more of the request's body."""
        if self.transport is not None and not self.transport.is_closing():
            self._cork.flush(self.transport)
            self.transport.write(data)

    def expect(self, within_s: float) -> None:
        """Expect the reply's head ``within_s``, now that the request has been sent whole."""
        if self._waiter is not None:
            self._deadlines.add(self._waiter, within_s)

    def fail(self, error: Exception) -> None:
        """Raise ``error`` in the task that waits for the reply: the request cannot be sent
        whole."""
        waiter = self._waiter
        self.abort()
        if waiter is not None and not waiter.done:
            waiter.fail(error)

    def attach(self, protocol: asyncio.Protocol) -> asyncio.Transport | None:
        """Make ``protocol`` the transport's protocol; None if the node has already closed."""
        if self.lost or self.transport is None:
            return None
        self.transport.set_protocol(protocol)
        self.transport.resume_reading()
        return self.transport

    def detach(self) -> None:
        """The attached protocol has read its reply to the end. Undo what it changed at the
        transport: it may have paused reading for its client."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.set_protocol(self)
            self.transport.resume_reading()

    def take_body(self) -> bytes:
        """The body bytes that came with the head, if no relay is attached to take them. `detach` is
        then not needed, for which uvloop would stop reading and start again."""
        body, self.buffered_body = self.buffered_body, b""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
        return body

    def delay_acks(self) -> None:
        """See the module `delayed_acks`. Raises OSError."""
        if self.transport is not None and not self.transport.is_closing():
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)

    def abort(self) -> None:
        """Close at once; unsent bytes are dropped, so that the node notices immediately."""
        self.lost = True
        self._stop_waiting()
        if self.transport is not None:
            self.transport.abort()

    def part(self) -> None:
        """Close after what was written is sent."""
        self.lost = True
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()

    def is_reusable(self) -> bool:
        """Whether another request may be sent: the connection is open, has no other protocol
        attached, reads, awaits nothing, and holds nothing unread or unsent. Every state of a
        transport that could outlive an exchange is checked here."""
        transport = self.transport
        return (
            not self.lost
            and transport is not None
            and not transport.is_closing()
            and transport.get_protocol() is self
            and transport.is_reading()
            and transport.get_write_buffer_size() == 0
            and not self._cork.holds(transport)
            and self._waiter is None
            and not self._buffer
            and not self.buffered_body
        )

    # Callbacks of the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport but not its type.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done:
            self._buffer_body(data)
            return
        if self.transport is not None and self._cork.holds(self.transport):
            # These bytes came before the request was written, so they do not answer it: an idle
            # connection's 408, or a broken node's second reply.
            self.abort()
            waiter.fail(ConnectionBroken("sent data before a request", silent=True))
            return
        self._buffer = self._buffer + data if self._buffer else data
        try:
            head = self._read_head()
        except MalformedMessage as error:
            self._buffer = b""
            self.abort()
            waiter.fail(ConnectionBroken(f"malformed reply: {error}", silent=False, lost=False))
            return
        if head is not None:
            self._stop_waiting()
            waiter.set(head)

    def pause_writing(self) -> None:
        if self.upload is not None:
            self.upload.pause()

    def resume_writing(self) -> None:
        if self.upload is not None:
            self.upload.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.lost_by = exc
        if self.upload is not None:
            self.upload.lose()
        if self._waiter is not None and not self._waiter.done:
            self._turns.defer(self._report_loss)

    def _report_loss(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done:
            self._stop_waiting()
            reason = "reset" if self.lost_by else "closed"
            # Held by no name: see `OneShot.fail`.
            waiter.fail(
                ConnectionBroken(f"{reason} before the reply's head", silent=not self._buffer)
            )

    def _stop_waiting(self) -> None:
        if self._waiter is not None:
            self._deadlines.discard(self._waiter)
            self._waiter = None

    def _buffer_body(self, data: bytes) -> None:
        self.buffered_body += data
        if len(self.buffered_body) > MAX_BUFFERED_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def _read_head(self) -> ResponseHead | None:
        """The reply's head if it is complete; ``buffered_body`` then holds the bytes after it."""
        buffer, start = self._buffer, 0
        while (end := buffer.find(b"\r\n\r\n", start, start + MAX_HEAD_BYTES + 4)) >= 0:
            head = self._heads.read(buffer[start:end])
            start = end + 4
            if head.status >= 200:
                self.buffered_body, self._buffer = buffer[start:], b""
                return head
            if head.status == 101:
                if not self._upgrades:
                    raise MalformedMessage("upgrade that was not requested")
                if (header(head.headers, b"upgrade") or b"").lower() != b"websocket":
                    raise MalformedMessage("upgrade to something other than a WebSocket")
                self.buffered_body, self._buffer = buffer[start:], b""
                return head
            self._interim += 1
            if self._interim > MAX_INTERIM_REPLIES:
                raise MalformedMessage("too many interim replies")
        self._buffer = buffer[start:] if start else buffer
        if self._buffer.find(b"\n\n", 0, MAX_HEAD_BYTES) >= 0:
            raise MalformedMessage("its lines end with LF alone, not with CR LF")
        if len(self._buffer) > MAX_HEAD_BYTES:
            raise MalformedMessage("head too large")
        return None
