"""The host names of this machine's listeners."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.config.schema import Server

__all__ = ["are_local", "own_hosts"]


def own_hosts(settings: Server, *, local: bool) -> Hosts:
    """``local``: whether only this machine reaches the listener. If a reverse proxy is in front of
    it, others do too, with the reverse proxy's names."""
    addresses = [settings.listen_address, settings.admin_address]
    machine = [socket.gethostname(), *(one.host for one in addresses if one is not None)]
    return Hosts(settings.hosts, machine, strict=local and not settings.trusted_proxies)


def are_local(sockets: Iterable[socket.socket]) -> bool:
    """Whether all of them listen on loopback addresses. A Unix socket counts as not local: a
    reverse proxy is in front of it, or a program of this machine, which needs no web page."""
    return all(
        sock.family != socket.AF_UNIX and ip_address(sock.getsockname()[0]).is_loopback
        for sock in sockets
    )
