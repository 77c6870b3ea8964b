"""A crowd of clients who wait, read or are idle: nothing that they send later is lost, and if many
leave at one moment, a round of the loop handles only some of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from casedesk_proxy.server.quiet import QuietClients
from tests.fixtures.loop_turns import most_per_turn
from tests.fixtures.raw_client import RawClient
from tests.server.serving import Served, post, read_reply, serving

Connect = Callable[[], Awaitable[RawClient]]
#: More than this process has open, whatever the tests before have left.
_DESCRIPTORS = 4096


@asynccontextmanager
async def crowded(
    how: str, path: str | None = None, loops_first: int = _DESCRIPTORS
) -> AsyncIterator[tuple[Served, Connect]]:
    """Count every client as a crowd, and check without a pause."""
    async with serving(how, path=path) as (served, connect):
        server = served.server
        server.quiet = QuietClients(
            server.loop, server.connections, server.turns,
            crowd=1, look_s=0.001, loops_first=loops_first,
        )  # fmt: skip
        yield served, connect


async def watched(served: Served, count: int = 1) -> None:
    while len(served.server.quiet) != count:
        await asyncio.sleep(0.001)


async def test_a_few_are_read_by_the_loop() -> None:
    async with serving() as (served, connect):
        client = await connect()
        await client.send(post(b"a"))
        assert await read_reply(client) == (200, b"a")
        assert served.server.quiet._timer is None


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_idle_ones_ask_again(kind: str, tmp_path: Path) -> None:
    async with crowded("echo", None if kind == "tcp" else str(tmp_path / "s")) as (served, connect):
        client = await connect()
        for n in range(5):
            await client.send(post(b"%d" % n))
            assert await read_reply(client) == (200, b"%d" % n)
            await watched(served)


async def test_an_answer_comes_late_and_one_more_was_asked_meanwhile() -> None:
    async with crowded("late") as (served, connect):
        client = await connect()
        await client.send(post(b"a"))
        await watched(served)
        await client.send(post(b"b"))
        await watched(served, 0)
        served.go_on.set()
        assert [await read_reply(client) for _ in "ab"] == [(200, b"a"), (200, b"b")]


async def test_one_that_says_no_more_gets_its_answer() -> None:
    async with crowded("late") as (served, connect):
        client = await connect()
        await client.send(post(b"a"))
        await watched(served)
        client.half_close()
        assert (await client.head()).status == 100
        served.go_on.set()
        assert await read_reply(client) == (200, b"a")
        assert not served.cancelled.is_set()


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_one_that_leaves_frees_what_it_had(leave: str) -> None:
    async with crowded("hang") as (served, connect):
        client = await connect()
        await client.send(post(b"a"))
        await served.began.wait()
        await watched(served)
        getattr(client, leave)()
        await served.cancelled.wait()
        await served.server.wait_empty()
        assert len(served.server.quiet) == 0


async def test_we_close_one_that_is_watched() -> None:
    async with crowded("hang") as (served, connect):
        client = await connect()
        await client.send(post(b"a"))
        await watched(served)
        for connection in [*served.server.connections]:
            connection.client.abort()
        await served.server.wait_empty()
        assert len(served.server.quiet) == 0


async def test_one_that_is_not_to_be_read_is_not_watched() -> None:
    async with crowded("hang") as (served, connect):
        client = await connect()
        await client.send(post(b"a"))
        await watched(served)
        [connection] = served.server.connections
        connection.client.pause_reading()
        assert len(served.server.quiet) == 0
        await client.send(post(b"b"))
        await asyncio.sleep(0.005)
        assert not connection._incoming.data
        connection.client.resume_reading()
        while not connection._incoming.data:
            await asyncio.sleep(0.001)


async def test_a_crowd_leaves_some_a_round() -> None:
    async with crowded("hang") as (served, connect):
        clients = [await connect() for _ in range(200)]
        for client in clients:
            await client.send(post(b"a"))
        await watched(served, 200)
        quiet = served.server.quiet
        assert quiet._loops_epoll is not None
        for number in quiet._watched:
            # Nor has libuv any of them left, which would go through all in one round.
            with pytest.raises(FileNotFoundError):
                quiet._loops_epoll.unregister(number)
        for client in clients:
            client.reset()
        assert await most_per_turn(lambda: -len(quiet), lambda: not len(quiet)) <= 64
        await served.server.wait_empty()


async def test_a_loop_whose_descriptors_are_not_found() -> None:
    """Such a loop reads the same, in fewer rounds."""
    async with crowded("echo", loops_first=0) as (served, connect):
        client = await connect()
        for n in range(2):
            await client.send(post(b"%d" % n))
            assert await read_reply(client) == (200, b"%d" % n)
            await watched(served)
