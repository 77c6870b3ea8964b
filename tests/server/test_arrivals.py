"""New clients are spread over instances of one socket, also many at once; none waits for an
instance that does not run."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import trustme

from casedesk_proxy.instances.table import HostTable
from casedesk_proxy.server.accepting import Gate
from casedesk_proxy.server.arrivals import Arrivals, count_room, find_surplus
from casedesk_proxy.server.listeners import Listeners
from casedesk_proxy.server.public import PublicServer
from tests.fixtures.raw_client import RawClient, open_client

authority = trustme.CA()


class Counted(asyncio.Protocol):
    """The part of `PublicServer` that concerns connections."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        instance.change(instance.connections.add, self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        cast(asyncio.Transport, transport).write(b"hello")

    def connection_lost(self, exc: Exception | None) -> None:
        self._instance.change(self._instance.connections.discard, self)


class Scarce(Listeners):
    """There may be no descriptor for a change of who is accepted."""

    are_scarce = False

    async def open_by(self, gate: Gate | None) -> None:
        if self.are_scarce:
            raise OSError(errno.EMFILE, "Too many open files")
        await super().open_by(gate)


class Instance:
    def __init__(self, table: HostTable | None, sock: socket.socket) -> None:
        self.table = table
        self.connections: set[asyncio.Protocol] = set()
        self.counted: Callable[[], None] | None = None
        self.surplus = 0
        self.listeners = Scarce((sock.dup(),))
        loop, public = asyncio.get_running_loop(), cast(PublicServer, self)
        self.arrivals = Arrivals(loop, self.listeners, public, table)

    @property
    def client_count(self) -> int:
        return len(self.connections)

    def change(
        self, change: Callable[[asyncio.Protocol], None], connection: asyncio.Protocol
    ) -> None:
        change(connection)
        if self.counted is not None:
            self.counted()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        for sock in self.listeners.open(None):
            await self.listeners.serve(
                sock,
                lambda: Counted(self),
                tls=tls,
                handshake_timeout_s=None if tls is None else 20,
            )
        self.arrivals.start()
        await self.settle()

    async def settle(self) -> None:
        """Accept by shares, or no more, if others came or left."""
        if self.table is not None:
            self.arrivals._compare()
        if self.arrivals._changing is not None:
            await self.arrivals._changing

    def stop(self) -> None:
        self.arrivals.stop()
        self.listeners.close()
        if self.table is not None:
            self.table.close()


class Clients:
    """Clients of ``sock``."""

    def __init__(self, sock: socket.socket) -> None:
        self._family, self._place = sock.family, sock.getsockname()
        self._waiting: list[socket.socket] = []
        self.clients: list[RawClient] = []

    async def connect(self, count: int) -> None:
        for _ in range(count):
            self.clients.append(await open_client(f"http://127.0.0.1:{self._place[1]}"))
            assert await self.clients[-1].take(5) == b"hello"

    def connect_at_once(self, count: int) -> None:
        """Before any instance can accept one."""
        for _ in range(count):
            client = socket.socket(self._family)
            client.setblocking(False)
            client.connect_ex(self._place)
            self._waiting.append(client)

    async def hear_all(self) -> int:
        """How many of those that connected at once were accepted; all of them at the end."""
        loop = asyncio.get_running_loop()
        for client in self._waiting:
            assert await loop.sock_recv(client, 5) == b"hello"
        return len(self._waiting)

    async def end(self) -> None:
        for client in self.clients:
            await client.end()
        for waiting in self._waiting:
            waiting.close()


@asynccontextmanager
async def host(
    place: Path | None, instances: int = 2, sock: socket.socket | None = None
) -> AsyncIterator[tuple[list[Instance], Clients]]:
    with sock or socket.create_server(("127.0.0.1", 0), backlog=1000) as sock:
        made: list[Instance] = []
        for _ in range(instances):
            table = None if place is None else await asyncio.to_thread(HostTable, place)
            made.append(Instance(table, sock))
            await made[-1].start()
        for instance in made:
            await instance.settle()
        clients = Clients(sock)
        try:
            yield made, clients
        finally:
            await clients.end()
            for instance in made:
                instance.stop()


@pytest.mark.parametrize(
    ("ours", "others", "waiting", "room"),
    [(0, [0], 1, 2), (1, [0], 1, 1), (2, [0], 1, 0), (9, [8, 7], 1, 0), (102, [100], 1, 1),
     (103, [100], 1, 0), (1031, [1000], 1, 0), (0, [0], 200, 100), (100, [0], 100, 0),
     (0, [100], 100, 103), (0, [0, 100], 50, 25), (100, [0, 0], 50, -75), (0, [200], 100, 206),
     (0, [10], 100, 55)],
)  # fmt: skip
def test_how_many_are_ours(ours: int, others: list[int], waiting: int, room: int) -> None:
    assert count_room(ours, others, waiting) == room


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


@pytest.mark.parametrize("instances", [2, 3])
async def test_a_burst_is_spread(tmp_path: Path, instances: int) -> None:
    async with host(tmp_path, instances) as (made, clients):
        clients.connect_at_once(120)
        assert await clients.hear_all() == 120
        fewest = min(len(one.connections) for one in made)
        assert fewest >= 120 // instances - 2


async def test_a_burst_on_a_unix_socket_is_spread(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen(1000)
        async with host(tmp_path / "table", 2, sock) as (made, clients):
            clients.connect_at_once(120)
            assert await clients.hear_all() == 120
            assert min(len(one.connections) for one in made) >= 40


async def test_a_burst_over_tls_is_spread(tmp_path: Path) -> None:
    """They are counted before their handshakes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as sock:
        made = []
        for _ in range(2):
            made.append(Instance(await asyncio.to_thread(HostTable, tmp_path), sock))
            await made[-1].start(context)
        for one in made:
            await one.settle()
        clients = Clients(sock)
        clients.connect_at_once(60)
        while sum(len(one.connections) for one in made) < 60:
            await asyncio.sleep(0)
        assert min(len(one.connections) for one in made) >= 28
        await clients.end()
        for one in made:
            one.stop()


async def test_who_is_left_alone_accepts_like_the_loop(tmp_path: Path) -> None:
    async with host(tmp_path) as (made, clients):
        one = made[0]
        assert one.arrivals._shares
        made.pop().stop()
        await one.settle()
        assert not one.arrivals._shares
        clients.connect_at_once(10)
        assert await clients.hear_all() == 10


async def test_without_descriptors_it_tries_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients wait in the socket meanwhile."""
    async with host(tmp_path, 1) as ((one,), clients):
        other = await asyncio.to_thread(HostTable, tmp_path)
        assert one.arrivals._columns is not None
        other.publish(one.arrivals._columns[0], 1)
        one.listeners.are_scarce = True
        await one.settle()
        assert "no client is accepted for a while: Too many open files" in caplog.text
        one.listeners.are_scarce = False
        await one.settle()
        await clients.connect(3)
        other.close()


async def test_who_stops_leaves_all_that_comes_to_the_others(tmp_path: Path) -> None:
    async with host(tmp_path) as ((one, two), clients):
        await clients.connect(4)
        one.arrivals.stop()
        one.listeners.close()
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
            await instance.listeners.open_by(None)
            instance.listeners.resume()
            assert instance.listeners.descriptors == []
