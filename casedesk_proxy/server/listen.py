"""Listening sockets from configured addresses (host:port, [v6]:port or unix:/path), and those that
a service manager has opened."""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import struct

__all__ = [
    "MAX_PENDING_CONNECTIONS",
    "bind",
    "count_waiting",
    "describe",
    "prepare",
    "remove_stale",
    "socket_path",
]

#: Connections that may wait to be accepted; the kernel takes no more than somaxconn.
MAX_PENDING_CONNECTIONS = 4096
#: struct tcp_info up to tcpi_unacked: of a listening socket the clients that wait (Linux 2.6.19).
_TCP_INFO = struct.Struct("=8B5I")
#: A Unix socket only shows that clients wait.
_ASSUMED_COUNT = 32
#: The usual cause of an error with TCP.
_HINTS = {
    errno.EADDRINUSE: "ss -ltnp shows by which program; end it, or choose another address",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "ports below 1024 need root, or a socket from systemd",
}


def bind(address: str) -> socket.socket:
    """A bound, listening, non-blocking socket. Raises OSError with the address in its text."""
    try:
        sock = _bind_unix(address[5:]) if address.startswith("unix:") else _bind_tcp(address)
    except OSError as error:
        hint = None if address.startswith("unix:") else _HINTS.get(error.errno or 0)
        reason = f"{error.strerror}; {hint}" if hint else error.strerror
        raise OSError(error.errno, f"cannot listen on {address}: {reason}") from None
    prepare(sock)
    sock.listen(MAX_PENDING_CONNECTIONS)
    return sock


def socket_path(sock: socket.socket) -> str | None:
    """The path of a unix socket's file; None for TCP."""
    return sock.getsockname() if sock.family == socket.AF_UNIX else None


def count_waiting(sock: socket.socket) -> int:
    """How many clients wait to be accepted from a listening socket; an assumed number if it is a
    unix socket from which any can be accepted."""
    if sock.family == socket.AF_UNIX:
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return _ASSUMED_COUNT if poll.poll(0) else 0
    found = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    waiting: int = _TCP_INFO.unpack(found)[-1]
    return waiting


def remove_stale(path: str) -> None:
    """Remove a socket file on which nothing answers: of a closed listener, or of a killed daemon.
    If something answers, it belongs to our successor. Raises OSError."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode) and not _answers(path):
        os.unlink(path)


def prepare(sock: socket.socket) -> None:
    """Set the options that we need on a socket, created or inherited."""
    if sock.family != socket.AF_UNIX:
        # Accepted connections inherit it: a client that vanished silently is detected.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setblocking(False)


def describe(sock: socket.socket, *, secure: bool = False) -> str:
    """A socket's address as a URL for people."""
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _bind_tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    info = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM,
                              flags=socket.AI_PASSIVE)  # fmt: skip
    family, kind, proto, _, place = info[0]
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
    remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
    except OSError:
        sock.close()
        raise
    return sock


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A process that is too busy to accept would make us wait, and is alive.
        probe.setblocking(False)
        return probe.connect_ex(path) != errno.ECONNREFUSED
