"""New clients are spread over instances of one socket; none waits for an instance that does not
run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from casedesk_proxy.instances.table import HostTable
from casedesk_proxy.server.arrivals import Arrivals, find_surplus, is_ahead
from casedesk_proxy.server.listeners import Listeners
from casedesk_proxy.server.public import PublicServer
from tests.fixtures.raw_client import RawClient, open_client


class Counted(asyncio.Protocol):
    """The part of `PublicServer` that concerns connections."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._change(self._instance.connections.add)
        cast(asyncio.Transport, transport).write(b"hello")

    def connection_lost(self, exc: Exception | None) -> None:
        self._change(self._instance.connections.discard)

    def _change(self, change: Callable[[asyncio.Protocol], None]) -> None:
        change(self)
        if self._instance.counted is not None:
            self._instance.counted(len(self._instance.connections))


class Instance:
    def __init__(self, table: HostTable | None, sock: socket.socket) -> None:
        self.table = table
        self.connections: set[asyncio.Protocol] = set()
        self.counted: Callable[[int], None] | None = None
        self.surplus = 0
        self.listeners = Listeners((sock.dup(),))
        loop, public = asyncio.get_running_loop(), cast(PublicServer, self)
        self.arrivals = Arrivals(loop, self.listeners, public, table)

    async def start(self) -> None:
        for sock in self.listeners.open(None):
            await self.listeners.serve(sock, lambda: Counted(self))
        self.arrivals.start()

    def stop(self) -> None:
        self.arrivals.stop()
        self.listeners.close()
        if self.table is not None:
            self.table.close()


class Clients:
    def __init__(self, port: int) -> None:
        self._port = port
        self.clients: list[RawClient] = []

    async def connect(self, count: int) -> None:
        for _ in range(count):
            self.clients.append(await open_client(f"http://127.0.0.1:{self._port}"))
            assert await self.clients[-1].take(5) == b"hello"


@asynccontextmanager
async def host(
    place: Path | None, instances: int = 2
) -> AsyncIterator[tuple[list[Instance], Clients]]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        made = []
        for _ in range(instances):
            table = None if place is None else await asyncio.to_thread(HostTable, place)
            made.append(Instance(table, sock))
            await made[-1].start()
        clients = Clients(sock.getsockname()[1])
        try:
            yield made, clients
        finally:
            for client in clients.clients:
                await client.end()
            for instance in made:
                instance.stop()


@pytest.mark.parametrize(
    ("ours", "others", "ahead"),
    [(5, [], False), (1, [0], False), (2, [0], True), (9, [8, 7], True), (103, [100], True),
     (102, [100], False), (1029, [1000], False), (1031, [1000], True)],
)  # fmt: skip
def test_who_is_ahead(ours: int, others: list[int], ahead: bool) -> None:
    assert is_ahead(ours, others) is ahead


@pytest.mark.parametrize(
    ("ours", "others", "surplus"),
    [(9, [], 0), (8, [0], 0), (10, [0], 5), (127, [73], 27), (0, [200], 0), (110, [90], 0),
     (90, [0, 0], 60)],
)  # fmt: skip
def test_what_others_should_have(ours: int, others: list[int], surplus: int) -> None:
    assert find_surplus(ours, others) == surplus


async def test_who_has_many_more_lets_some_go_to_another(tmp_path: Path) -> None:
    """For example an instance that started later. An instance that lets clients wait gets none."""
    async with host(tmp_path, 1) as ((one,), clients):
        await clients.connect(20)
        one.arrivals._balance()
        assert one.surplus == 0, "there is nobody else"
        table = await asyncio.to_thread(HostTable, tmp_path)
        assert one.arrivals._columns is not None
        assert one.arrivals._columns is not None
        table.publish(one.arrivals._columns[0], 1)
        one.arrivals._balance()
        assert one.surplus == 10
        one.arrivals._free_until = asyncio.get_running_loop().time()
        one.arrivals._balance()
        assert one.surplus == 0
        table.close()


async def test_who_has_another_address_gets_none(tmp_path: Path) -> None:
    """No client can go there: each would come back at once."""
    async with host(tmp_path, 1) as ((one,), clients), host(tmp_path, 1) as ((two,), _):
        await clients.connect(20)
        assert one.arrivals._free_until == float("-inf"), "nobody has waited"
        one.arrivals._balance()
        assert (one.surplus, two.connections) == (0, set())


async def test_clients_are_spread(tmp_path: Path) -> None:
    """Clients arrive so fast that one waits in the socket at each check. That does not mean that no
    instance accepts."""
    async with host(tmp_path) as (instances, clients):
        await clients.connect(40)
        counts = sorted(len(one.connections) for one in instances)
        assert sum(counts) == 40
        assert counts[0] >= 18


async def test_an_instance_alone_accepts_all(tmp_path: Path) -> None:
    async with host(tmp_path, 1) as ((instance,), clients):
        await clients.connect(10)
        assert len(instance.connections) == 10
    async with host(None, 1) as ((instance,), clients):
        await clients.connect(10)
        assert instance.counted is None


async def test_who_stops_leaves_all_that_comes_to_the_others(tmp_path: Path) -> None:
    async with host(tmp_path) as ((one, two), clients):
        await clients.connect(4)
        one.arrivals.stop()
        one.listeners.pause()
        await clients.connect(20)
        assert len(two.connections) >= 20


async def test_nobody_waits_for_one_that_does_not_accept(tmp_path: Path) -> None:
    """The instance reports that it accepts, but its process is stopped."""
    async with host(tmp_path) as ((one, two), clients):
        one.listeners.pause()
        await clients.connect(10)
        assert len(two.connections) == 10


async def test_who_is_closed_while_it_does_not_accept_stays_closed(tmp_path: Path) -> None:
    async with host(tmp_path) as ((one, two), clients):
        await clients.connect(10)
        for instance in (one, two):
            instance.listeners.pause()
            instance.listeners.close()
            await instance.listeners.resume()
            assert instance.listeners.descriptors == []
