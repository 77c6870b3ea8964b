"""The address at the other end of a connection."""

from __future__ import annotations

import asyncio

from casedesk_proxy.wire.addresses import UNIX, plain_address

__all__ = ["peer_of"]

#: A TCP client that was gone before its address could be read.
_GONE = "unknown"


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The address at the other end, without its port, ``unix`` for a Unix socket. Call it while the
    connection is new: it costs one system call, and is impossible once the connection is lost."""
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        return plain_address(name[0])
    return _GONE if isinstance(transport.get_extra_info("sockname"), tuple) else UNIX
