"""Connecting to a Unix socket: at once, again while its backlog is full, and its errors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from casedesk_proxy.upstream.attempt import Attempt, AttemptFailed
from casedesk_proxy.upstream.pool import ConnectionPool, NodeAddress
from casedesk_proxy.upstream.unix_sockets import connect, describe, is_full, open_session
from casedesk_proxy.wording import AboutNode
from tests.fixtures.raw_node import raw_node
from tests.fixtures.table import table

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def full(path: Path) -> Iterator[socket.socket]:
    """A listener with a full backlog."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        yield listener


async def test_a_full_backlog_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with full(path) as listener:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await connect(str(path), pause_s=0.001)
        waiting = asyncio.ensure_future(connect(str(path), pause_s=0.001))
        await asyncio.sleep(0.005)
        assert not waiting.done()
        listener.accept()[0].close()
        (await waiting).close()


def attempt(path: Path, connect_timeout: float = 5.0) -> Attempt:
    pool = ConnectionPool(asyncio.get_running_loop(), NodeAddress("localhost", 80, str(path)))
    return Attempt("n", pool, b"GET / HTTP/1.1\r\n\r\n", connect_timeout, 5.0, False, False)


async def test_a_node_on_a_socket_is_asked(tmp_path: Path) -> None:
    async with raw_node(REPLY, path=tmp_path / "s") as node:
        one = attempt(tmp_path / "s")
        connection, head = await one.run()
        assert head.status == 200
        connection.buffered_body = b""
        one.pool.give_back(connection, keep_alive=True)
        assert one.pool.reuse() is connection
        assert len(node.connections) == 1
        connection.abort()


def no_socket(path: Path) -> None:
    """The address has no socket."""


def no_listener(path: Path) -> None:
    """The node has ended without removing its socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def behind_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_socket, "does not exist"),
        (behind_a_file, "does not exist"),
        (no_listener, "has no listener (connection refused)"),
    ],
)
async def test_errors_name_what_is_wrong(make: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "s"
    path.parent.mkdir()
    assert callable(make)
    make(path)
    with pytest.raises(AttemptFailed) as caught:
        await attempt(path).run()
    error = caught.value.error
    assert error.message == f"node n cannot be reached: its socket {words}; start it"
    assert str(path) not in error.message, "not for clients"
    cause, remedy = error.message.split("; ")
    known = caught.value.cause
    assert isinstance(known, AboutNode)
    assert known.text("n") == f"{cause} ({path}); {remedy}"
    assert error.reason == f"node n cannot be reached: its socket {words}: {path}"


async def test_a_backlog_that_stays_full_is_a_timeout(tmp_path: Path) -> None:
    with full(tmp_path / "s"), pytest.raises(AttemptFailed) as caught:
        await attempt(tmp_path / "s", 0.02).run()
    assert caught.value.error.code == "node_timeout"


@table(
    ("number", "words"),
    [
        (errno.EACCES, "may not be opened (permission denied)"),
        (errno.EPERM, "may not be opened (permission denied)"),
        (errno.ENOMEM, "cannot be connected to"),
    ],
)
def test_other_errors(number: int, words: str) -> None:
    assert describe(OSError(number, os.strerror(number))) == words


def test_what_is_full() -> None:
    assert is_full(BlockingIOError(errno.EAGAIN, "x"))
    assert not is_full(ConnectionRefusedError(errno.ECONNREFUSED, "x"))
    assert not is_full(TimeoutError())


async def test_a_session_for_either_url(tmp_path: Path) -> None:
    async with raw_node(REPLY) as port, raw_node(REPLY, path=tmp_path / "s") as local:
        for node in (port, local):
            session, url = open_session(node.url)
            async with session, session.get(url + "/props") as reply:
                assert reply.status == 200
            assert node.requests[0].target == "/props"
    assert local.requests[0].value("host") == b"localhost"


async def test_a_session_s_error_has_the_number(tmp_path: Path) -> None:
    session, url = open_session(f"http+unix://{tmp_path}/s")
    async with session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get(url)
    assert describe(caught.value) == "does not exist"
