"""Connections to nodes on Unix sockets, and sessions of aiohttp for them.

Connecting there never waits: it succeeds, or the system says at once why not. EAGAIN says that the
listener's backlog is full (llama-server's holds 5), where TCP would try again by itself; so do we.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import aiohttp

from casedesk_proxy.config.node_urls import ON_SOCKET, socket_path

__all__ = ["connect", "describe", "is_full", "make_connector", "open_session"]

#: Between two tries while the backlog is full.
_PAUSE_S = 0.005
_WORDS = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist",
    errno.EACCES: "may not be opened (permission denied)",
    errno.EPERM: "may not be opened (permission denied)",
    errno.ECONNREFUSED: "has no listener (connection refused)",
}


async def connect(path: str, *, pause_s: float = _PAUSE_S) -> socket.socket:
    """A connected socket. Tries for ever while the backlog is full: the caller limits that.

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
    """Whether a listener was found that takes no more connections for now. aiohttp's errors have
    the number of the one that they wrap."""
    return isinstance(error, OSError) and error.errno == errno.EAGAIN


def describe(error: OSError) -> str:
    """What an error of connecting says of the socket, whose path is not for clients."""
    return _WORDS.get(error.errno or 0, "cannot be connected to")


def make_connector(path: str | None, tls: ssl.SSLContext | None = None) -> aiohttp.BaseConnector:
    """For a session that asks one node: on the socket at ``path``, or, for None, by its URL."""
    if path is not None:
        return aiohttp.UnixConnector(path)
    return aiohttp.TCPConnector(ssl=tls or True)


def open_session(url: str) -> tuple[aiohttp.ClientSession, str]:
    """A session for the node whose url stands in a configuration, and the url to ask there."""
    path = socket_path(url)
    session = aiohttp.ClientSession(
        connector=make_connector(path), cookie_jar=aiohttp.DummyCookieJar()
    )
    return session, url if path is None else ON_SOCKET
