"""The sockets of one side: own ones are removed at the end, inherited ones are kept."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import cast

import pytest

from casedesk_proxy.server.listen import bind
from casedesk_proxy.server.listeners import Listeners
from tests.fixtures.raw_client import connect


class Greeting(asyncio.Protocol):
    """Sends five bytes, and closes when its client has closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(b"hello")


async def greeted(url: str) -> bytes:
    async with connect(url) as client:
        return await client.take(5)


async def test_a_configured_address_is_served_until_the_close() -> None:
    listeners = Listeners()
    (sock,) = listeners.open("127.0.0.1:0")
    port = sock.getsockname()[1]
    await listeners.serve(sock, Greeting)
    assert listeners.urls == [f"http://127.0.0.1:{port}"]
    assert await greeted(f"http://127.0.0.1:{port}") == b"hello"
    listeners.close()
    with pytest.raises(ConnectionRefusedError):
        await greeted(f"http://127.0.0.1:{port}")


async def test_a_file_that_was_made_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "proxy.sock"
    listeners = Listeners()
    (sock,) = listeners.open(f"unix:{path}")
    await listeners.serve(sock, Greeting)
    assert listeners.urls == [f"unix:{path}"]
    assert await greeted(f"unix:{path}") == b"hello"
    listeners.close()
    assert not path.exists()
    listeners.close()


async def test_a_file_that_another_has_taken_over_stays(tmp_path: Path) -> None:
    path = tmp_path / "proxy.sock"
    listeners = Listeners()
    (sock,) = listeners.open(f"unix:{path}")
    await listeners.serve(sock, Greeting)
    path.unlink()
    with bind(f"unix:{path}"):
        listeners.close()
        assert path.exists()


async def test_what_was_handed_over_is_served_instead(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sock"
    with bind("127.0.0.1:0") as tcp, bind(f"unix:{path}") as unix:
        owners = tcp.dup()
        given = (tcp, unix)
        listeners = Listeners(given)
        assert listeners.open("192.0.2.1:1") == given
        for sock in given:
            await listeners.serve(sock, Greeting)
        port = owners.getsockname()[1]
        assert listeners.urls == [f"http://127.0.0.1:{port}", f"unix:{path}"]
        assert await greeted(f"http://127.0.0.1:{port}") == b"hello"
        listeners.close()
    assert path.exists(), "a service manager removes its own"
    with owners, socket.create_connection(("127.0.0.1", port)):
        pass  # new clients wait with the owner


async def test_no_address_is_no_listener() -> None:
    listeners = Listeners()
    assert list(listeners.open(None)) == []
    assert listeners.urls == []
    listeners.close()
