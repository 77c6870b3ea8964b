"""Ends a connection so that its peer notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from casedesk_proxy.replying.endings import Parting

__all__ = ["part_with", "reset"]

#: Seconds for which a client may still read what was sent before its stream was cut.
_FAREWELL_S = 30.0
_AT_ONCE = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Close with an RST, dropping unsent bytes, here and in the kernel: a FIN after them could be
    taken for the regular end of a message. Unix sockets can only be closed in one way."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


def part_with(
    loop: asyncio.AbstractEventLoop, client: asyncio.Transport, parting: Parting, drop: Parting
) -> None:
    """``drop``: called for a client that does not read what was sent before a CLOSE."""
    if parting is Parting.CLOSE:
        client.close()
        if client.get_write_buffer_size():
            loop.call_later(_FAREWELL_S, part_with, loop, client, drop, drop)
    elif parting is Parting.ABORT:
        client.abort()
    elif parting is Parting.RESET:
        reset(client)
