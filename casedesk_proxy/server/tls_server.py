"""Clients that come over TLS: accepted, and served after their handshake."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import cast

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.server.accepting import Acceptor, Gate
from casedesk_proxy.server.tls_transport import TlsTransport

__all__ = ["TlsServer"]

#: The first byte from a TLS client (RFC 8446 section 5.1).
_HANDSHAKE = b"\x16"
_ERROR = BadRequest("this port speaks HTTPS; use https://", code="not_http")
_WORDS = jsonio.dumps(
    {"error": {"message": str(_ERROR), "type": "invalid_request_error", "code": _ERROR.code}}
)
_SPEAK_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_WORDS), _WORDS)
)


class TlsServer:
    """Accepts from ``sock`` at once and owns it. ``make`` makes a protocol for each client, which
    is dropped if the handshake fails or takes more than so many seconds. ``gate``: see
    `Acceptor`."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext,
        *,
        handshake_timeout_s: float,
        gate: Gate | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._make = make
        self._context = context
        self._timeout_s = handshake_timeout_s
        self.acceptor = Acceptor(sock, self._take, gate)

    def close(self) -> None:
        """Accept no more. Accepted connections continue."""
        self.acceptor.close()

    def _take(self, client: socket.socket) -> None:
        _Handshake(self._loop, client, self._context, self._make, self._timeout_s)


class _Handshake:
    """A client until its handshake is done. A client that speaks plain HTTP gets a plain answer."""

    __slots__ = ("_context", "_loop", "_number", "_protocol", "_sock", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.BaseProtocol],
        timeout_s: float,
    ) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = loop
        self._context = context
        self._sock: socket.socket = sock
        self._number = sock.fileno()
        #: Made now, before the handshake: ``make`` counts the clients that connect.
        self._protocol = make()
        self._timer = loop.call_later(timeout_s, self._fail)
        loop.add_reader(self._number, self._begin)

    def _begin(self) -> None:
        """The client's first bytes have arrived."""
        try:
            if self._sock.recv(1, socket.MSG_PEEK) not in (_HANDSHAKE, b""):
                self._sock.recv(65536)
                self._sock.send(_SPEAK_TLS)
                self._fail()
                return
            self._sock = self._context.wrap_socket(
                self._sock, server_side=True, do_handshake_on_connect=False
            )
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._fail()
            return
        self._loop.add_reader(self._number, self._step)
        self._step()

    def _step(self) -> None:
        sock = cast(ssl.SSLSocket, self._sock)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.remove_writer(self._number)
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._number, self._step)
        except (OSError, ValueError):
            self._fail()
        else:
            self._leave()
            TlsTransport(self._loop, sock, cast(asyncio.Protocol, self._protocol))

    def _leave(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)

    def _fail(self) -> None:
        self._leave()
        self._sock.close()
