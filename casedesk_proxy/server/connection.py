"""A client's connection: aiohttp's protocol, plus what a streaming proxy needs of it.

Added: a limit on the time a request head may take, the relay's backpressure, notice of a client
that leaves while bytes still wait for it, and our envelope for requests that are not HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.exchange.reply import own_head
from casedesk_proxy.server.relay import Relay
from casedesk_proxy.surfaces.envelopes import error_reply
from casedesk_proxy.terms import Dialect

__all__ = ["CLOSE", "KEEP", "ClientConnection", "PublicServer", "Sent"]


class Sent(web.StreamResponse):
    """What a handler returns after it wrote the reply to the transport by itself."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


#: The connection may carry another request, or must be closed. Stateless, so two will do.
KEEP = Sent(keep_alive=True)
CLOSE = Sent(keep_alive=False)


class ClientConnection(RequestHandler):
    """``relay`` is the relay that writes to this connection now, if any."""

    __slots__ = ("_head_timeout", "_head_timer", "relay")

    def __init__(
        self,
        manager: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        head_timeout: float,
        **options: Any,
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self.relay: Relay | None = None
        self._head_timeout = head_timeout
        self._head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Still waiting for a request after bytes came: a head in the making (or blank lines).
        if self._is_idle():
            if self._head_timer is None:
                self._head_timer = self._loop.call_later(self._head_timeout, self._head_overdue)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def eof_received(self) -> None:
        # Without this a client that left is noticed only when what waits for it is sent.
        if self._request_in_progress and self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.relay is not None:
            self.relay.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.relay is not None:
            self.relay.resume()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp calls for bytes that are not a request it can read."""
        error = BadRequest("the request is not well-formed HTTP/1.1", status=status)
        self._send_error(error)
        return CLOSE

    def _is_idle(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _head_overdue(self) -> None:
        self._head_timer = None
        if self._is_idle():
            self._send_error(BadRequest("the request head took too long", status=408))
            self.force_close()

    def _send_error(self, error: BadRequest) -> None:
        if self.transport is not None:
            reply = error_reply(Dialect.GEMINI, error, "-")
            head = own_head(reply.status, reply.headers, len(reply.body), keep_alive=False)
            self.transport.write(head + reply.body)


class PublicServer(web.Server):
    """Makes a ClientConnection for every connection that is accepted."""

    def __call__(self) -> RequestHandler:
        return ClientConnection(self, loop=self._loop, **self._kwargs)
