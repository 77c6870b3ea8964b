"""Listening sockets that the service manager opened for us: sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["InheritedSockets", "take_inherited_sockets"]

_FIRST_DESCRIPTOR = 3
_ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class InheritedSockets:
    """``admin``: those with ``FileDescriptorName=admin``; any other name is public."""

    public: tuple[socket.socket, ...] = ()
    admin: tuple[socket.socket, ...] = ()


def take_inherited_sockets(
    environ: Mapping[str, str], *, first: int = _FIRST_DESCRIPTOR
) -> InheritedSockets:
    """The sockets from descriptor ``first`` on. Raises OSError for one that cannot be served.

    A child process that inherits the variables, which are not meant for it, takes nothing.
    """
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return InheritedSockets()
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * (int(count) - len(names))
    public: list[socket.socket] = []
    admin: list[socket.socket] = []
    for number, name in zip(range(first, first + int(count)), names, strict=False):
        (admin if name == _ADMIN else public).append(_take(number))
    return InheritedSockets(tuple(public), tuple(admin))


def _take(number: int) -> socket.socket:
    os.set_inheritable(number, False)
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise OSError(f"descriptor {number} from the service manager is not a socket")
    sock = socket.socket(fileno=number)
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        sock.detach()
        raise OSError(f"descriptor {number} from the service manager is not a listening socket")
    return sock
