"""Who is at the other end of a connection."""

from __future__ import annotations

import asyncio

from casedesk_proxy.wire.addresses import UNIX, plain_address

__all__ = ["peer_of"]

#: A TCP client that was gone before anyone could ask for its address.
_GONE = "unknown"


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The address at the other end, without its port, ``unix`` for a Unix socket. Ask while the
    connection is new: one system call, and none tells once it is lost."""
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        return plain_address(name[0])
    return _GONE if isinstance(transport.get_extra_info("sockname"), tuple) else UNIX
