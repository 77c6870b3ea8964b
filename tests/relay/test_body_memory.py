"""What one client may cost the others: rounds of the loop, memory, and time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.fixtures.loop_turns import most_per_turn
from tests.fixtures.raw_client import RawClient
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.raw_peer import Parting, PeerGone
from tests.fixtures.stalls import stall
from tests.server.gateways import SSE, Stage, chat, chunk, staged
from tests.server.serving import SO_MUCH, chunked, post, read_reply, serving

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'


async def a_few_rounds() -> None:
    """The server is in the same loop: by then it has read what was written."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("clients", [1, 5])
async def test_a_client_has_one_request_a_turn(clients: int) -> None:
    async with serving() as (served, connect):
        peers = [await connect() for _ in range(clients)]
        for client in peers:
            client.write(post(b"x") * 300)
        total = 300 * clients
        most = await most_per_turn(lambda: len(served.seen), lambda: len(served.seen) == total)
        assert most <= 2 * clients, "one read, and one turn of what waits"
        for client in peers:
            for _ in range(300):
                assert await read_reply(client) == (200, b"x")


async def test_a_body_in_crumbs_is_read_in_turns() -> None:
    async with serving("refuse") as (served, connect):
        client = await connect()
        body = chunked(*[b"x"] * 60_000)
        other = await connect()
        client.write(body)
        assert (await read_reply(client))[1] == b"refused"
        other.write(post(b"y"))
        assert (await read_reply(other))[1] == b"refused"
        assert await client.rest() == b""
        assert served.server.body_memory.used == 0


async def test_a_large_body_is_read_in_turns() -> None:
    async with serving("swallow") as (served, connect):
        client = await connect()
        client.write(post(bytes(SO_MUCH)))
        memory = served.server.body_memory
        most = await most_per_turn(lambda: memory.used, lambda: bool(served.seen))
        assert most <= 2 * 256_000, "a read of the loop's, and what it left"
        assert (await read_reply(client))[0] == 200
        assert served.seen == [("/x", bytes(SO_MUCH))]


async def test_answers_that_are_not_read_bring_no_more_of_them() -> None:
    async with serving("large", send_timeout=30) as (served, connect):
        client = await connect()
        client.stop_reading()
        client.write(post(b"") * 50)
        while not served.seen:
            await asyncio.sleep(0.001)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert len(served.seen) == 1
        client.go_on_reading()
        for _ in range(2):
            assert len((await read_reply(client))[1]) == SO_MUCH


@pytest.mark.parametrize("extra", ["", "Connection: close\r\n"])
async def test_a_reply_that_nobody_reads_is_given_up(extra: str) -> None:
    async with serving("large", send_timeout=0.1) as (served, connect):
        client = await connect()
        client.stop_reading()
        client.write(post(b"", extra=extra))
        while not served.seen:
            await asyncio.sleep(0.001)
        assert len(served.server.connections) == 1
        await asyncio.wait_for(served.server.wait_empty(), 10)
        client.go_on_reading()
        await client.until_gone()
        assert client.parting is Parting.RST


@pytest.mark.parametrize("how", ["half-close", "idle", "server"])
async def test_a_close_waits_for_no_reader_without_end(how: str) -> None:
    async with serving("large", send_timeout=0.1, idle_timeout_s=0.1) as (served, connect):
        client = await connect()
        client.stop_reading()
        client.write(post(b""))
        while not served.seen:
            await asyncio.sleep(0.001)
        if how == "half-close":
            client.half_close()
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
    async with serving("large", send_timeout=0.6, min_rate=512) as (_, connect):
        client = await connect()
        client.write(post(b"", extra="Connection: close\r\n"))
        while len(client.received) < SO_MUCH:
            await client.sip()
            await asyncio.sleep(0.01)
        client.go_on_reading()
        assert (await client.reply()).complete


async def test_a_drip_is_a_stall() -> None:
    async with serving("large", send_timeout=0.1, min_rate=1_000_000_000) as (served, connect):
        client = await connect()
        client.write(post(b"", extra="Connection: close\r\n"))
        with pytest.raises(PeerGone):
            while True:
                await client.sip()
                await asyncio.sleep(0.02)
        assert len(client.received) < SO_MUCH
        await asyncio.wait_for(served.server.wait_empty(), 10)


@pytest.mark.parametrize("first", [1, len(post(b"hello")) - 3])
async def test_a_stall_of_ours_is_no_slowness_of_the_client(first: int) -> None:
    """Timers run before reads: bytes that arrived in time are read before the verdict."""
    wire = post(b"hello")
    async with serving(head_timeout_s=0.4, pause_s=0.4) as (served, connect):
        client = await connect()
        client.write(wire[:first])
        await a_few_rounds()
        await stall(0.8, lambda: client.send_behind_the_loop(wire[first:]))
        assert await read_reply(client) == (200, b"hello")
        assert served.rejected == []
        assert served.faults == []


async def test_a_stall_of_ours_closes_no_connection_that_is_asked_on() -> None:
    async with serving(idle_timeout_s=0.2) as (_, connect):
        client = await connect()
        await a_few_rounds()
        await stall(0.5, lambda: client.send_behind_the_loop(post(b"x")))
        assert await read_reply(client) == (200, b"x")


async def test_bodies_have_room_for_so_many_bytes_together() -> None:
    async with serving("late", max_bodies=1000) as (served, connect):
        first = await connect()
        first.write(post(b"a" * 700))
        await served.began.wait()
        assert served.server.body_memory.used == 700
        for wire in (post(b"b" * 301), chunked(b"b" * 200, b"b" * 200)):
            client = await connect()
            client.write(wire)
            assert (await read_reply(client))[0] == 503
        fitting = await connect()
        fitting.write(post(b"c" * 300))
        while served.server.body_memory.used < 1000:
            await asyncio.sleep(0.001)
        served.go_on.set()
        assert await read_reply(first) == (200, b"a" * 700)
        assert await read_reply(fitting) == (200, b"c" * 300)
        assert served.server.body_memory.used == 0


@pytest.mark.parametrize("how", ["close", "reset", "too slow", "malformed", "too large"])
async def test_room_is_given_back_whatever_becomes_of_a_body(how: str) -> None:
    pause_s = 0.2 if how == "too slow" else 20.0
    async with serving(max_bodies=20_000, pause_s=pause_s) as (served, connect):
        client = await connect()
        whole = chunked(b"x" * 500, b"y" * 5000 if how == "too large" else b"y")
        client.write(whole[: whole.index(b"y")] if how != "too large" else whole)
        while not served.server.body_memory.used and not served.faults:
            await asyncio.sleep(0.001)
        if how == "close":
            client.close()
        elif how == "reset":
            client.abort()
        elif how == "malformed":
            client.write(b"yyzz\r\n")
        while served.server.body_memory.used:
            await asyncio.sleep(0.001)
        assert served.seen == []


async def test_a_body_that_drips_is_given_up() -> None:
    async with serving(min_rate=1000, pause_s=0.2) as (served, connect):
        client = await connect()
        client.write(post(b"x" * 500)[:-499])
        dripping = asyncio.ensure_future(drip(client))
        assert (await read_reply(client))[1] == b"fault"
        assert [fault.status for fault in served.faults] == [408]
        dripping.cancel()


async def drip(client: RawClient) -> None:
    while True:
        client.write(b"x")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "wire",
    [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000,
     b"\x16\x03\x01\x02\x00" + b"\x01" * 500],
)  # fmt: skip
async def test_a_refusal_of_a_head_reaches_a_client_that_sends_on(wire: bytes) -> None:
    async with serving() as (served, connect):
        client = await connect()
        client.write(wire)
        for _ in range(50):
            client.write(b"z" * 65536)
            await asyncio.sleep(0)
        assert (await read_reply(client))[0] in (400, 431)
        assert await client.rest() == b""
        assert len(served.rejected) == 1


async def test_an_answer_that_closes_reaches_a_client_that_has_sent_ahead() -> None:
    async with serving() as (_, connect):
        client = await connect()
        client.write(post(b"x", extra="Connection: close\r\n") + post(b"y" * 900) * 2000)
        assert await read_reply(client) == (200, b"x")
        assert await client.rest() == b""


async def test_no_interim_reply_for_a_client_of_http10() -> None:
    async with serving() as (_, connect):
        client = await connect()
        wire = post(b"hello", extra="Expect: 100-continue\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")
        client.write(wire[:-5])
        await a_few_rounds()
        client.write(wire[-5:])
        assert await read_reply(client) == (200, b"hello")


async def test_a_stall_of_ours_is_no_silence_of_the_node() -> None:
    async def looked_at() -> None:
        """Wait until the last event is an old one for the watch."""
        watch = stages[0].gateway.watch
        while [flow.events for flow in watch.relays] != [
            one.events for one in watch._watched.values()
        ]:
            await asyncio.sleep(0.001)

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        await a_few_rounds()
        for _ in range(2):
            await looked_at()
            await stall(0.9, lambda: connection.send_behind_the_loop(chunk(EVENT)))
        await connection.send(chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    stages: list[Stage] = []
    async with staged(play, node=", idle_timeout: 600ms") as stage:
        stages.append(stage)
        client = await stage.connect()
        client.write(chat())
        assert (await client.head()).status == 200
        assert (await client.reply()).body == EVENT * 3 + b"data: [DONE]\n\n"
