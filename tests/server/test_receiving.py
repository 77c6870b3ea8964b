"""A body that is written to disk: memory stays bounded, however slow the disk or the client is."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.errors import BadRequest, ProxyError, TooLarge
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.parties import Sink
from casedesk_proxy.server.receiving import BodyReceiver, RawContent


class Ear:
    """A client's connection, which continues to read when asked to."""

    def __init__(self) -> None:
        self.asked = 0

    def read_more(self) -> None:
        self.asked += 1


class Body:
    """A request whose body the test supplies."""

    def __init__(self) -> None:
        self.client = Ear()
        self.is_poured = False

    def pour(self, sink: Sink, skip: int) -> None:
        self.is_poured = True

    def stop_pouring(self) -> None:
        self.is_poured = False


class SlowDisk:
    """A disk on which each write is done when the test says so."""

    def __init__(self) -> None:
        self.written: list[list[bytes]] = []
        self.running: list[asyncio.Future[None]] = []

    def __call__(self, pieces: list[bytes]) -> asyncio.Future[None]:
        self.written.append(pieces)
        self.running.append(asyncio.get_running_loop().create_future())
        return self.running[-1]


class Stage:
    def __init__(self, pause: float = 60.0, skip: int = 0, gather: float = 0.0) -> None:
        self.body, self.disk = Body(), SlowDisk()
        self.receiver = BodyReceiver(
            asyncio.get_running_loop(), self.body, RawContent(skip), self.disk,  # type: ignore[arg-type]
            Pace(pause, 1), gather_s=gather,
        )  # fmt: skip
        self.task = asyncio.ensure_future(self.receiver.run())

    def come(self, *payloads: bytes, ends: bool = False) -> None:
        for payload in payloads:
            self.receiver.take(payload)
        if ends:
            self.receiver.finish()
        self.receiver.wake(None)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_comes_while_the_disk_writes_goes_in_one_piece() -> None:
    stage = Stage(skip=2)
    await turn()
    stage.come(b"ab", b"cd")
    await turn()
    stage.come(b"ef")
    stage.come(b"gh", ends=True)
    assert stage.disk.written == [[b"cd"]]
    stage.disk.running[0].set_result(None)
    await turn()
    assert stage.disk.written == [[b"cd"], [b"ef", b"gh"]]
    assert not stage.task.done()
    stage.disk.running[1].set_result(None)
    await stage.task
    assert stage.receiver.received == 8
    assert not stage.body.is_poured


async def test_small_pieces_are_written_together() -> None:
    stage = Stage(gather=60)
    await turn()
    stage.come(b"x" * 2**18, b"y" * 2**17)
    assert stage.disk.written == []
    stage.come(b"z" * 2**17)
    assert [len(one) for one in stage.disk.written] == [3]
    stage.come(*[b"x"] * 255)
    assert stage.receiver.wants
    stage.come(b"x")
    assert not stage.receiver.wants, "each of them costs memory, however short it is"
    stage.disk.running[0].set_result(None)
    await turn()
    assert [len(one) for one in stage.disk.written] == [3, 256]
    stage.disk.running[1].set_result(None)
    await turn()
    stage.come(b"end", ends=True)
    stage.disk.running[2].set_result(None)
    await stage.task
    assert sum(map(len, stage.disk.written[1] + stage.disk.written[2])) == 259


async def test_what_waits_is_written_where_no_more_comes() -> None:
    stage = Stage(gather=0.01)
    await turn()
    stage.come(b"a")
    stage.come(b"b")
    while not stage.disk.written:
        await asyncio.sleep(0.001)
    assert stage.disk.written == [[b"a", b"b"]]
    stage.task.cancel()
    await asyncio.gather(stage.task, return_exceptions=True)


async def test_a_slow_disk_holds_the_client() -> None:
    stage = Stage()
    await turn()
    stage.come(b"x" * 2**20)
    assert not stage.receiver.wants
    asked = stage.body.client.asked
    stage.disk.running[0].set_result(None)
    await turn()
    assert stage.receiver.wants
    assert stage.body.client.asked > asked
    stage.task.cancel()
    await asyncio.gather(stage.task, return_exceptions=True)


async def test_a_body_without_bytes() -> None:
    stage = Stage()
    await turn()
    stage.come(ends=True)
    await stage.task
    assert stage.disk.written == []


async def test_a_disk_s_error_ends_it() -> None:
    stage = Stage()
    await turn()
    stage.come(b"a")
    await turn()
    stage.disk.running[0].set_exception(OSError(28, "full"))
    with pytest.raises(OSError, match="full"):
        await stage.task
    stage.come(b"b")
    assert len(stage.disk.written) == 1


async def test_a_fault_of_the_body_ends_it() -> None:
    class Refusing(RawContent):
        def feed(self, data: bytes) -> list[bytes]:
            raise BadRequest("no")

    stage = Stage()
    stage.receiver._parser = Refusing()
    await turn()
    stage.come(b"a", b"b")
    with pytest.raises(BadRequest, match="no"):
        await stage.task
    other = Stage()
    await turn()
    other.receiver.wake(TooLarge("much"))
    with pytest.raises(TooLarge):
        await other.task


async def test_whoever_comes_later_goes_on() -> None:
    stage = Stage()
    await turn()
    stage.come(b"a")
    await turn()
    stage.receiver.give_way(ProxyError("another"))
    with pytest.raises(ProxyError, match="another"):
        await stage.task
    stage.disk.running[0].set_result(None)
    await turn()


async def test_a_client_that_sends_nothing_is_let_go_of() -> None:
    stage = Stage(pause=0.01)
    with pytest.raises(BadRequest, match="too slowly"):
        await stage.task


async def test_a_client_is_not_blamed_for_a_slow_disk() -> None:
    stage = Stage(pause=0.001)
    await turn()
    stage.come(b"a")
    await asyncio.sleep(0.25)
    assert not stage.task.done()
    stage.come(ends=True)
    stage.disk.running[0].set_result(None)
    await stage.task
