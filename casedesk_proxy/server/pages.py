"""Requests for pages: each is passed to aiohttp, and its connection taken back after it.

A browser requests a page, then the API, then the page's events, on any free connection. So not the
connection is passed to aiohttp but one request of it: read here like any other, given to a protocol
of aiohttp's in one piece, and answered through a transport that passes on what is written. Order,
timeouts, stalls and the end of the connection remain the connection's task, and this costs the
API's requests one comparison of their path.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.server.body_reading import read_short_body
from casedesk_proxy.wire.http1 import RequestHead, header

if TYPE_CHECKING:
    from casedesk_proxy.server.handler import Handler

__all__ = ["PageTransport", "Pages", "is_page"]

_PREFIXES = ("/console", "/swagger-ui", "/api-docs")
_MAX_BODY_BYTES = 65536
#: For forms, which are short.
_BODY_PACE = Pace(10.0, 1)
#: Headers about the connection between us and the client, which aiohttp must not see.
_OWN_HEADERS = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"expect", b"upgrade",
     b"te", b"trailer", b"proxy-connection"}
)  # fmt: skip
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,18})\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_BODILESS = (b" 204 ", b" 304 ")
#: Seconds that open pages have at the end.
_SHUTDOWN_S = 1.0


def is_page(head: RequestHead) -> bool:
    """Whether it is for a page. ``/`` is, if the request names an accepted form."""
    target = head.target
    if target.startswith(_PREFIXES):
        return _names_page(target)
    return target == "/" and head.method in ("GET", "HEAD") and _has_accept(head)


def _names_page(target: str) -> bool:
    """Not ``/consoles``."""
    name = target.partition("?")[0]
    return any(name == one or name.startswith(f"{one}/") for one in _PREFIXES)


def _has_accept(head: RequestHead) -> bool:
    return header(head.headers, b"accept") is not None


def is_no_fault_of_clients(entry: logging.LogRecord) -> bool:
    """aiohttp logs a traceback for each request that it cannot read, such as one with a header line
    of more than 8 KB, and quotes the line, which may be a credential. The reply says it, too."""
    return entry.exc_info is None or not isinstance(entry.exc_info[1], HttpProcessingError)


class Pages:
    """The application's protocols, one for each request. Call ``start`` first, ``stop`` at the
    end."""

    def __init__(self, app: web.Application) -> None:
        logging.getLogger("aiohttp.server").addFilter(is_no_fault_of_clients)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
        )

    async def start(self) -> None:
        await self._runner.setup()

    async def stop(self) -> None:
        await self._runner.cleanup()

    def before(self, handler: Handler) -> Callable[[ClientRequest], Coroutine[Any, Any, bool]]:
        """Answers a request as a page, or with ``handler``, whose coroutine is returned directly. A
        coroutine around it would cost memory for each stream."""

        def answer(request: ClientRequest) -> Coroutine[Any, Any, bool]:
            if is_page(request.head):
                return self._answer(request, handler)
            return handler.handle(request)

        return answer

    async def _answer(self, request: ClientRequest, handler: Handler) -> bool:
        try:
            body = await read_short_body(request, _MAX_BODY_BYTES, _BODY_PACE)
        except ProxyError as error:
            handler.reject(request.client, b"", error)
            return False
        request.release()
        assert self._runner.server is not None
        page = PageTransport(request.client, request.head)
        inner = self._runner.server()
        page.begin(inner)
        try:
            inner.data_received(write_request(request.head, body))
            await page.ended
        finally:
            page.end()
        return page.is_whole and request.head.keep_alive


def write_request(head: RequestHead, body: bytes) -> bytes:
    """The whole request in one piece, the last on its connection."""
    lines: Iterable[bytes] = (
        b"%b: %b\r\n" % line for line in head.headers if line[0].lower() not in _OWN_HEADERS
    )
    first = f"{head.method} {head.target} HTTP/1.{int(head.http11)}\r\n"
    end = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    return b"".join([first.encode("utf-8", "surrogateescape"), *lines, end, body])


class PageTransport(asyncio.Transport):
    """The transport for aiohttp, and the flow for the client's connection. ``ended`` is done once
    aiohttp has finished, or the client has left."""

    def __init__(self, client: Client, head: RequestHead) -> None:
        super().__init__()
        self._client = client
        self._is_head = head.method == "HEAD"
        self._keep_alive = head.keep_alive and head.http11
        self._inner: asyncio.Protocol | None = None
        self._left: int | None = None
        self._has_begun = False
        #: aiohttp's protocol fails if it is paused, or resumed, twice; flows may be.
        self._is_paused = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # As in `relay.flow.Flow`.
        self.paused_at: float | None = None
        self.terminal: Terminal | None = None
        self.events = self.sent = 0

    def begin(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self._client.relay = self
        inner.connection_made(self)

    def end(self) -> None:
        """Whatever its end was; the client may send another request."""
        self.close()
        self._client.relay = None
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.connection_lost(None)

    @property
    def is_whole(self) -> bool:
        """Whether the client knows where the reply ends, and has received it up to there."""
        return self._left == 0 and self._keep_alive

    # Called by aiohttp.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self.ended.done() or not data:
            return
        piece = bytes(data)
        if not self._has_begun:
            self._has_begun = True
            piece = self._begin_reply(piece)
        elif self._left:
            self._left = max(self._left - len(piece), 0)
        self.events += 1
        self.sent += len(piece)
        self._client.write(piece)

    def _begin_reply(self, piece: bytes) -> bytes:
        """The first piece, which has the whole head: if its length is known the connection stays
        open, whatever aiohttp says."""
        head, mark, body = piece.partition(b"\r\n\r\n")
        lines = head + b"\r\n"
        length = _LENGTH.search(lines)
        if self._is_head or any(word in lines[:20] for word in _BODILESS):
            self._left = 0
        elif length is not None:
            self._left = max(int(length[1]) - len(body), 0)
        if self._left is None or not self._keep_alive:
            self._keep_alive = False
            return piece
        return _CLOSE.sub(b"\r\n", lines)[:-2] + mark + body

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        """Does nothing: other code ends the connection."""

    def close(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    abort = close

    def is_closing(self) -> bool:
        return self.ended.done()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._client.peer, 0
        if name == "socket":
            return default
        transport = self._client.flushed_transport()
        return default if transport is None else transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Does nothing: no more arrives."""

    def resume_reading(self) -> None:
        """Nothing more comes."""

    def is_reading(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        transport = self._client.flushed_transport()
        return 0 if transport is None else transport.get_write_buffer_size()

    # Called by the client's connection: see `relay.flow.Flow`.

    @property
    def is_unsent(self) -> bool:
        return not self._has_begun

    def pause(self) -> None:
        self._client.watch_stall()
        if self._inner is not None and not self._is_paused:
            self._is_paused = True
            self._inner.pause_writing()

    def resume(self) -> None:
        if self._inner is not None and self._is_paused:
            self._is_paused = False
            self._inner.resume_writing()

    def leave(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._left = None
        self.close()

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        self.leave(terminal)

    def conclude(self) -> None:
        """Does nothing: its end is not known."""

    def keep_alive(self) -> None:
        """Does nothing: pages send keepalives themselves."""

    def fail(self) -> None:
        self.leave(Terminal.FAILED)
