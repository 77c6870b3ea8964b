"""Sockets from the service manager, by the environment that sd_listen_fds(3) describes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from casedesk_proxy.daemon.inherited_sockets import take_inherited_sockets

FIRST = 700


@contextmanager
def descriptors(*sockets: socket.socket) -> Iterator[None]:
    """The sockets from descriptor FIRST on, as a manager passes them."""
    with ExitStack() as stack:
        for number, sock in enumerate(sockets, FIRST):
            stack.enter_context(sock)
            os.dup2(sock.fileno(), number)
        yield


def environ(count: int, names: str | None = None, pid: int | None = None) -> dict[str, str]:
    variables = {"LISTEN_FDS": str(count), "LISTEN_PID": str(pid or os.getpid())}
    return variables if names is None else {**variables, "LISTEN_FDNAMES": names}


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_by_name() -> None:
    sockets = [listener(), listener(), listener()]
    ports = [sock.getsockname()[1] for sock in sockets]
    with descriptors(*sockets):
        inherited = take_inherited_sockets(
            environ(3, "public:admin:casedesk-proxy.socket"), first=FIRST
        )
    assert [sock.getsockname()[1] for sock in inherited.public] == [ports[0], ports[2]]
    assert [sock.getsockname()[1] for sock in inherited.admin] == [ports[1]]
    for sock in (*inherited.public, *inherited.admin):
        assert not sock.get_inheritable()
        sock.close()


def test_without_names_all_are_public() -> None:
    with descriptors(listener(), listener()):
        inherited = take_inherited_sockets(environ(2), first=FIRST)
    assert len(inherited.public) == 2
    for sock in inherited.public:
        sock.close()


@pytest.mark.parametrize("variables", [{}, environ(1, pid=1), {"LISTEN_FDS": "1"}, environ(0)])
def test_sockets_for_somebody_else(variables: dict[str, str]) -> None:
    inherited = take_inherited_sockets(variables, first=FIRST)
    assert (inherited.public, inherited.admin) == ((), ())


def test_what_cannot_be_served() -> None:
    with descriptors(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
        with pytest.raises(OSError, match=r"700 .* not a listening socket"):
            take_inherited_sockets(environ(1), first=FIRST)
        os.close(FIRST)
    reading, writing = os.pipe()
    os.dup2(reading, FIRST)
    with pytest.raises(OSError, match="not a socket"):
        take_inherited_sockets(environ(1), first=FIRST)
    for number in (reading, writing, FIRST):
        os.close(number)
