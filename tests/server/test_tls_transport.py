"""A connection under TLS whose other end is Python's own, in a thread if it has to wait."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
import trustme

from casedesk_proxy.server.tls_transport import TlsTransport

LARGE = bytes(range(256)) * 20_000


class Heard(asyncio.Protocol):
    """Records all calls of its transport."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.calls: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return True

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def until(self, size: int) -> None:
        while len(self.data) < size:
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def joined(
    authority: trustme.CA, make: Callable[[], Heard] = Heard, parting_s: float = 10
) -> AsyncIterator[tuple[TlsTransport, Heard, ssl.SSLSocket]]:
    """Both ends after their handshake. The client's end blocks, and distinguishes a cut from an
    end."""
    here, there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("name.example").configure_cert(here)
    authority.configure_trust(there)
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    shaken = asyncio.to_thread(
        there.wrap_socket, theirs, server_hostname="name.example", suppress_ragged_eofs=False
    )
    client, server = await asyncio.gather(
        shaken, asyncio.to_thread(here.wrap_socket, ours, server_side=True)
    )
    server.setblocking(False)
    protocol = make()
    transport = TlsTransport(asyncio.get_running_loop(), server, protocol, parting_s=parting_s)
    try:
        yield transport, protocol, client
    finally:
        client.close()
        transport.abort()
        await protocol.lost


async def read(client: ssl.SSLSocket, size: int) -> bytes:
    def work() -> bytes:
        got = b""
        while len(got) < size:
            got += client.recv(65536)
        return got

    return await asyncio.to_thread(work)


async def test_what_is_said_arrives_in_both_directions(authority: trustme.CA) -> None:
    async with joined(authority) as (transport, protocol, client):
        await asyncio.to_thread(client.sendall, LARGE)
        await protocol.until(len(LARGE))
        assert protocol.data == LARGE
        transport.writelines([b"one", b"", b"two"])
        assert await read(client, 6) == b"onetwo"
        assert transport.get_write_buffer_size() == 0


async def test_who_writes_faster_than_the_client_reads_is_asked_to_wait(
    authority: trustme.CA,
) -> None:
    async with joined(authority) as (transport, protocol, client):
        transport.set_write_buffer_limits(high=100_000)
        assert transport.get_write_buffer_limits() == (25_000, 100_000)
        own = bytearray(LARGE)
        transport.write(own)
        own[:] = bytes(len(own))
        transport.write(own[:1000])
        assert protocol.calls == ["pause"]
        assert transport.get_write_buffer_size() > 100_000
        assert await read(client, len(LARGE) + 1000) == LARGE + bytes(1000)
        assert protocol.calls == ["pause", "resume"]


async def test_a_close_sends_the_rest_and_says_that_it_was_all(authority: trustme.CA) -> None:
    async with joined(authority) as (transport, protocol, client):
        transport.write(LARGE)
        transport.close()
        transport.close()
        transport.write(b"nobody hears this")
        assert transport.is_closing()
        assert await read(client, len(LARGE)) == LARGE
        assert await asyncio.to_thread(client.recv, 1) == b""
        assert not protocol.lost.done()
        # What it still says is dropped.
        client.sendall(b"too late")
        await asyncio.to_thread(client.unwrap)
        assert await protocol.lost is None
        assert protocol.data == b""


async def test_a_client_with_no_room_yet_for_the_end(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel decides when there is room; here there is none twice."""
    async with joined(authority) as (transport, heard, client):
        full = [ssl.SSLWantWriteError(), ssl.SSLWantWriteError()]
        unwrap = ssl.SSLSocket.unwrap

        def part(sock: ssl.SSLSocket) -> socket.socket:
            if full and sock is not client:
                raise full.pop()
            return unwrap(sock)

        monkeypatch.setattr(ssl.SSLSocket, "unwrap", part)
        transport.write(b"all")
        transport.close()
        assert await read(client, 3) == b"all"
        assert await asyncio.to_thread(client.recv, 1) == b"", "an end, not a cut"
        await asyncio.to_thread(client.unwrap)
        assert await heard.lost is None


async def test_a_client_that_does_not_end_its_side_is_let_go(authority: trustme.CA) -> None:
    async with joined(authority, parting_s=0.05) as (transport, protocol, client):
        transport.close()
        assert await asyncio.to_thread(client.recv, 1) == b""
        assert await protocol.lost is None


async def test_an_abort_looks_like_a_cut(authority: trustme.CA) -> None:
    async with joined(authority) as (transport, protocol, client):
        transport.write(b"some")
        transport.abort()
        transport.abort()
        transport.write(b"nobody hears this")
        assert await protocol.lost is None
        assert await read(client, 4) == b"some"
        # OpenSSL 3.6.5 answers a cut by an alert, and reports that it cannot.
        with pytest.raises((ssl.SSLEOFError, BrokenPipeError)):
            await asyncio.to_thread(client.recv, 1)


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "cuts"])
async def test_a_client_that_leaves(authority: trustme.CA, ends: bool) -> None:
    async with joined(authority) as (transport, protocol, client):
        if ends:
            await asyncio.gather(asyncio.to_thread(client.unwrap), protocol.lost)
        else:
            # It has read what came behind the handshake: else its kernel says so by a reset.
            transport.write(b"x")
            await read(client, 1)
            client.close()
        await protocol.lost
        assert protocol.calls == ["eof"]
        assert transport.is_closing()


async def test_a_client_that_has_gone_is_found_by_writing(authority: trustme.CA) -> None:
    async with joined(authority) as (transport, protocol, client):
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        client.close()
        transport.write(b"one")
        assert isinstance(await protocol.lost, OSError)


async def test_what_comes_while_nothing_is_read_waits(authority: trustme.CA) -> None:
    async with joined(authority) as (transport, protocol, client):
        transport.pause_reading()
        client.sendall(b"hello")
        for _ in range(10):
            await asyncio.sleep(0)
        assert protocol.data == b""
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await protocol.until(5)


async def test_a_protocol_may_read_nothing_from_the_start(authority: trustme.CA) -> None:
    class Waiting(Heard):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            cast(asyncio.Transport, transport).pause_reading()

    async with joined(authority, Waiting) as (transport, protocol, client):
        client.sendall(b"hello")
        for _ in range(10):
            await asyncio.sleep(0)
        assert protocol.data == b""
        transport.resume_reading()
        await protocol.until(5)


async def test_a_turn_reads_a_part_of_what_has_come(authority: trustme.CA) -> None:
    """So a client that sends much gets no larger share of the loop than others."""

    class Counting(Heard):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            sizes.append(len(self.data))

    sizes: list[int] = []
    async with joined(authority, Counting) as (transport, protocol, client):
        transport.pause_reading()
        sent = asyncio.ensure_future(asyncio.to_thread(client.sendall, LARGE))
        transport.resume_reading()
        most = before = 0
        while len(protocol.data) < len(LARGE):
            await asyncio.sleep(0)
            most, before = max(most, len(protocol.data) - before), len(protocol.data)
        await sent
        assert most <= 131_072


async def test_a_protocol_may_stop_reading_amid_it(authority: trustme.CA) -> None:
    class Sated(Heard):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            transport.pause_reading()

    async with joined(authority, Sated) as (transport, protocol, client):
        sent = asyncio.ensure_future(asyncio.to_thread(client.sendall, bytes(100_000)))
        await protocol.until(1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(protocol.data) == 16_384
        while len(protocol.data) < 100_000:
            transport.resume_reading()
            await asyncio.sleep(0)
        await sent


async def test_a_bug_ends_the_connection(
    authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Heard):
        def data_received(self, data: bytes) -> None:
            raise ValueError("a bug")

    async with joined(authority, Broken) as (_, protocol, client):
        client.sendall(b"x")
        assert isinstance(await protocol.lost, ValueError)
    assert "internal error in a TLS connection" in caplog.text


async def test_what_it_tells_of_itself(authority: trustme.CA) -> None:
    async with joined(authority) as (transport, protocol, _):
        assert transport.get_protocol() is protocol
        other = Heard()
        transport.set_protocol(other)
        assert transport.get_protocol() is other
        transport.set_protocol(protocol)
        assert isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext)
        assert transport.get_extra_info("socket").family == socket.AF_UNIX
        assert transport.get_extra_info("cipher")[1].startswith("TLSv1.")
        assert transport.get_extra_info("peername") == transport.get_extra_info("sockname") == ""
        assert transport.get_extra_info("weather", "fair") == "fair"
        assert not transport.can_write_eof()
        with pytest.raises(NotImplementedError):
            transport.write_eof()
