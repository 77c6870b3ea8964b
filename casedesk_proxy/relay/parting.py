"""How a connection is ended so that its peer notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

__all__ = ["reset"]

_AT_ONCE = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Close by an RST, dropping what is unsent, here and in the kernel: a FIN behind it may be
    taken for the proper end of a message. Unix sockets have only the one way to close."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
