"""Connections to nodes on Unix sockets, and aiohttp sessions for them.

Connecting never waits: it succeeds or fails at once. EAGAIN means that the listener's backlog is
full (llama-server's holds 5); TCP would try again automatically, and so does this module.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import aiohttp

from casedesk_proxy.config.node_urls import ON_SOCKET, socket_path

__all__ = ["connect", "describe", "is_full", "make_connector", "open_session"]

#: Seconds between two attempts while the backlog is full.
_PAUSE_S = 0.005
_WORDS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist",
    errno.EACCES: "may not be opened (permission denied)",
    errno.EPERM: "may not be opened (permission denied)",
    errno.ECONNREFUSED: "has no listener (connection refused)",
}


async def connect(path: str, *, pause_s: float = _PAUSE_S) -> socket.socket:
    """A connected socket. Tries without a limit while the backlog is full: the caller sets a
    timeout.

    Raises OSError.
    """
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect(path)
            return sock
        except OSError as error:
            sock.close()
            if not is_full(error):
                raise
        await asyncio.sleep(pause_s)


def is_full(error: BaseException) -> bool:
    """Whether a listener exists but accepts no more connections for now. aiohttp's errors have the
    number of the error that they wrap."""
    return isinstance(error, OSError) and error.errno == errno.EAGAIN


def describe(error: OSError) -> str:
    """Why connecting failed, without the socket's path, which clients must not see."""
    return _WORDS.get(error.errno or 0, "cannot be connected to")


def make_connector(path: str | None, tls: ssl.SSLContext | None = None) -> aiohttp.BaseConnector:
    """For a session that asks one node: on the socket at ``path`` or, if that is None, by its
    URL."""
    if path is not None:
        return aiohttp.UnixConnector(path)
    return aiohttp.TCPConnector(ssl=tls or True)


def open_session(url: str) -> tuple[aiohttp.ClientSession, str]:
    """A session for a node with this configured URL, and the URL to request."""
    path = socket_path(url)
    session = aiohttp.ClientSession(
        connector=make_connector(path), cookie_jar=aiohttp.DummyCookieJar()
    )
    return session, url if path is None else ON_SOCKET
