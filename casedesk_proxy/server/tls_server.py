"""Clients that come over TLS: accepted, and served after their handshake."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import cast

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.server.listen import MAX_PENDING_CONNECTIONS
from casedesk_proxy.server.tls_transport import TlsTransport

__all__ = ["TlsServer"]

log = logging.getLogger(__name__)

#: Connections that are accepted in one round of the loop.
_ACCEPT_TIMES = 100
#: Seconds for which no connection is accepted after descriptors or memory ran out.
_EXHAUSTED_S = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
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
    is dropped if the handshake fails or takes more than so many seconds."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext,
        *,
        handshake_timeout_s: float,
        exhausted_s: float = _EXHAUSTED_S,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._make = make
        self._context = context
        self._timeout_s = handshake_timeout_s
        self._exhausted_s = exhausted_s
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(MAX_PENDING_CONNECTIONS)
        self._accept_on()

    def close(self) -> None:
        """Accept no more. Accepted connections continue."""
        if self._sock.fileno() < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _accept_on(self) -> None:
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPT_TIMES):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("no client is accepted for %g s: %s", self._exhausted_s, error.strerror)
                self._loop.remove_reader(self._sock.fileno())
                self._pause = self._loop.call_later(self._exhausted_s, self._accept_on)
                return
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
