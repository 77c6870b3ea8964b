"""Addresses become listening sockets, or one clear error."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

import pytest

from casedesk_proxy.server.listen import bind, describe, remove_stale, socket_path


def test_tcp() -> None:
    with bind("127.0.0.1:0") as sock:
        url = describe(sock)
        assert url.startswith("http://127.0.0.1:")
        with socket.create_connection(sock.getsockname()):
            pass
        assert describe(sock, secure=True).startswith("https://")


def test_v6() -> None:
    with bind("[::1]:0") as sock:
        assert describe(sock).startswith("http://[::1]:")


def test_busy_port_is_named() -> None:
    with bind("127.0.0.1:0") as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(OSError, match=address) as busy:
            bind(address)
        assert busy.value.errno == errno.EADDRINUSE
        assert "shows by which program; end it, or choose another address" in str(busy.value)
    with pytest.raises(OSError, match="this machine has no such address"):
        bind("192.0.2.1:0")


def test_unix(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/proxy.sock"
    with bind(address) as sock:
        assert describe(sock) == address
        with pytest.raises(OSError, match="in use"):
            bind(address)
    # The file is left behind by a process that was killed: nobody answers on it.
    bind(address).close()


def test_a_socket_file_is_removed_when_nobody_answers_on_it(tmp_path: Path) -> None:
    path = tmp_path / "proxy.sock"
    with bind(f"unix:{path}") as sock:
        assert socket_path(sock) == str(path)
        # Somebody else's, such as the process that follows us.
        remove_stale(str(path))
        assert path.is_socket()
    remove_stale(str(path))
    assert not path.exists()
    remove_stale(str(path))
    with bind("127.0.0.1:0") as sock:
        assert socket_path(sock) is None


def test_a_file_that_is_no_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        bind(f"unix:{path}")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_of_somebody_else_is_left_alone(tmp_path: Path, kind: socket.SocketKind) -> None:
    """If its owner were too busy to accept, a waiting probe would never return."""
    path = str(tmp_path / "s")
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
        owner.bind(path)
        if kind is socket.SOCK_STREAM:
            owner.listen(0)
            for _ in range(3):
                client = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
                client.setblocking(False)
                client.connect_ex(path)
        remove_stale(path)
        assert os.path.exists(path)
        with pytest.raises(OSError, match="cannot listen on"):
            bind(f"unix:{path}")
