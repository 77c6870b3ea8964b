"""What one client may cost the others: turns of the loop, memory, and time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.fixtures.loop_turns import most_per_turn
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.stalls import stall
from tests.server.gateways import SSE, chat, chunk, read_head, read_raw_chunked, staged
from tests.server.serving import SO_MUCH, chunked, post, read_reply, serving

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'


@pytest.mark.parametrize("clients", [1, 5])
async def test_a_client_has_one_request_a_turn(clients: int) -> None:
    async with serving() as (served, connect):
        peers = [await connect() for _ in range(clients)]
        for _, writer in peers:
            writer.write(post(b"x") * 300)
        total = 300 * clients
        most = await most_per_turn(lambda: len(served.seen), lambda: len(served.seen) == total)
        assert most <= 2 * clients, "one read, and one turn of what waits"
        for reader, _ in peers:
            for _ in range(300):
                assert await read_reply(reader) == (200, b"x")


async def test_a_body_in_crumbs_is_read_in_turns() -> None:
    async with serving("refuse") as (served, connect):
        reader, writer = await connect()
        body = chunked(*[b"x"] * 60_000)
        other, beside = await connect()
        writer.write(body)
        started = asyncio.get_running_loop().time()
        assert (await read_reply(reader))[1] == b"refused"
        beside.write(post(b"y"))
        assert (await read_reply(other))[1] == b"refused"
        assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - started < 10
        assert served.server.room.held == 0


async def test_a_large_body_is_read_in_turns() -> None:
    async with serving("swallow") as (served, connect):
        reader, writer = await connect()
        writer.write(post(bytes(SO_MUCH)))
        room = served.server.room
        most = await most_per_turn(lambda: room.held, lambda: bool(served.seen))
        assert most <= 2 * 256_000, "a read of the loop's, and what it left"
        assert (await read_reply(reader))[0] == 200
        assert served.seen == [("/x", bytes(SO_MUCH))]


async def test_answers_that_are_not_read_bring_no_more_of_them() -> None:
    async with serving("large", send_timeout=30) as (served, connect):
        reader, writer = await connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(post(b"") * 50)
        while not served.seen:
            await asyncio.sleep(0.001)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert len(served.seen) == 1
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(2):
            assert len((await read_reply(reader))[1]) == SO_MUCH


@pytest.mark.parametrize("extra", ["", "Connection: close\r\n"])
async def test_a_reply_that_nobody_reads_is_given_up(extra: str) -> None:
    async with serving("large", send_timeout=0.1) as (served, connect):
        reader, writer = await connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(post(b"", extra=extra))
        while not served.seen:
            await asyncio.sleep(0.001)
        assert len(served.server.connections) == 1
        await asyncio.wait_for(served.server.wait_empty(), 10)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionResetError):
            while await reader.read(2**20):
                pass


@pytest.mark.parametrize("how", ["half-close", "idle", "server"])
async def test_a_close_waits_for_no_reader_without_end(how: str) -> None:
    async with serving("large", send_timeout=0.1, idle_timeout=0.1) as (served, connect):
        _, writer = await connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(post(b""))
        while not served.seen:
            await asyncio.sleep(0.001)
        if how == "half-close":
            writer.write_eof()
        elif how == "server":
            served.server.close_idle()
        await asyncio.wait_for(served.server.wait_empty(), 10)


async def test_who_was_accepted_when_the_server_closed_is_served() -> None:
    loop = asyncio.get_running_loop()
    async with serving() as (served, _):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            ours.sendall(post(b"hello"))
            accepted = loop.create_task(loop.connect_accepted_socket(served.server, theirs))
            await asyncio.sleep(0)
            assert not served.server.connections, "this key may use in the next turn"
            served.server.close_idle()
            async with asyncio.timeout(10):
                await served.server.wait_empty()
            assert served.seen == [("/x", b"hello")]
            await accepted
            assert (await loop.sock_recv(ours, 2**16)).startswith(b"HTTP/1.1 200 ")


async def test_a_slow_reader_is_no_stalled_one() -> None:
    async with serving("large", send_timeout=0.3, min_rate=512) as (_, connect):
        reader, writer = await connect()
        writer.write(post(b"", extra="Connection: close\r\n"))
        await reader.readuntil(b"\r\n\r\n")
        left = SO_MUCH
        while left:
            data = await reader.read(2**19)
            assert data
            left -= len(data)
            await asyncio.sleep(0.02)


async def test_a_drip_is_a_stall() -> None:
    async with serving("large", send_timeout=0.1, min_rate=1_000_000_000) as (served, connect):
        reader, writer = await connect()
        writer.write(post(b"", extra="Connection: close\r\n"))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(10_000):
                await reader.readexactly(4096)
                await asyncio.sleep(0.005)
        await asyncio.wait_for(served.server.wait_empty(), 10)


def send_behind_the_loop(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Into the kernel, whatever the loop does."""
    number = writer.get_extra_info("socket").fileno()
    with socket.socket(fileno=socket.dup(number)) as sock:
        sock.sendall(data)


@pytest.mark.parametrize("first", [1, len(post(b"hello")) - 3])
async def test_a_stall_of_ours_is_no_slowness_of_the_client(first: int) -> None:
    """Timers run before reads: what came in time is read before the verdict."""
    wire = post(b"hello")
    async with serving(head_timeout=0.2) as (served, connect):
        reader, writer = await connect()
        writer.write(wire[:first])
        await asyncio.sleep(0.05)
        await stall(0.6, lambda: send_behind_the_loop(writer, wire[first:]))
        assert await read_reply(reader) == (200, b"hello")
        assert served.rejected == []
        assert served.faults == []


async def test_a_stall_of_ours_closes_no_connection_that_is_asked_on() -> None:
    async with serving(idle_timeout=0.2) as (_, connect):
        reader, writer = await connect()
        await asyncio.sleep(0.05)
        await stall(0.5, lambda: send_behind_the_loop(writer, post(b"x")))
        assert await read_reply(reader) == (200, b"x")


async def test_bodies_have_room_for_so_many_bytes_together() -> None:
    async with serving("late", max_bodies=1000) as (served, connect):
        first = await connect()
        first[1].write(post(b"a" * 700))
        await served.began.wait()
        assert served.server.room.held == 700
        for wire in (post(b"b" * 301), chunked(b"b" * 200, b"b" * 200)):
            reader, writer = await connect()
            writer.write(wire)
            assert (await read_reply(reader))[0] == 503
        fitting = await connect()
        fitting[1].write(post(b"c" * 300))
        while served.server.room.held < 1000:
            await asyncio.sleep(0.001)
        served.go_on.set()
        assert await read_reply(first[0]) == (200, b"a" * 700)
        assert await read_reply(fitting[0]) == (200, b"c" * 300)
        assert served.server.room.held == 0


@pytest.mark.parametrize("how", ["close", "reset", "too slow", "malformed", "too large"])
async def test_room_is_given_back_whatever_becomes_of_a_body(how: str) -> None:
    async with serving(max_bodies=20_000) as (served, connect):
        _, writer = await connect()
        whole = chunked(b"x" * 500, b"y" * 5000 if how == "too large" else b"y")
        writer.write(whole[: whole.index(b"y")] if how != "too large" else whole)
        while not served.server.room.held and not served.faults:
            await asyncio.sleep(0.001)
        if how == "close":
            writer.close()
        elif how == "reset":
            writer.transport.abort()
        elif how == "malformed":
            writer.write(b"yyzz\r\n")
        while served.server.room.held:
            await asyncio.sleep(0.001)
        assert served.seen == []


async def test_a_body_that_drips_is_given_up() -> None:
    async with serving(min_rate=1000) as (served, connect):
        reader, writer = await connect()
        writer.write(post(b"x" * 500)[:-499])
        dripping = asyncio.ensure_future(drip(writer))
        assert (await read_reply(reader))[1] == b"fault"
        assert [fault.status for fault in served.faults] == [408]
        dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "wire",
    [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000,
     b"\x16\x03\x01\x02\x00" + b"\x01" * 500],
)  # fmt: skip
async def test_a_refusal_of_a_head_reaches_a_client_that_sends_on(wire: bytes) -> None:
    async with serving() as (served, connect):
        reader, writer = await connect()
        writer.write(wire)
        for _ in range(50):
            writer.write(b"z" * 65536)
            await asyncio.sleep(0)
        assert (await read_reply(reader))[0] in (400, 431)
        assert await reader.read() == b""
        assert len(served.rejected) == 1


async def test_an_answer_that_closes_reaches_a_client_that_has_sent_ahead() -> None:
    async with serving() as (_, connect):
        reader, writer = await connect()
        writer.write(post(b"x", extra="Connection: close\r\n") + post(b"y" * 900) * 2000)
        assert await read_reply(reader) == (200, b"x")
        assert await reader.read() == b""


async def test_no_interim_reply_for_a_client_of_http10() -> None:
    async with serving() as (_, connect):
        reader, writer = await connect()
        wire = post(b"hello", extra="Expect: 100-continue\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")
        writer.write(wire[:-5])
        await asyncio.sleep(0.05)
        writer.write(wire[-5:])
        assert await read_reply(reader) == (200, b"hello")


async def test_a_stall_of_ours_is_no_silence_of_the_node() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        for _ in range(3):
            await asyncio.sleep(0.1)
            await stall(0.8, lambda: connection.send_behind_the_loop(chunk(EVENT)))
        await connection.send(chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    async with staged(play, node=", idle_timeout: 300ms") as stage:
        reader, writer = await stage.connect()
        writer.write(chat())
        assert (await read_head(reader))[0] == 200
        _, body = await read_raw_chunked(reader)
        assert body == EVENT * 4 + b"data: [DONE]\n\n"
