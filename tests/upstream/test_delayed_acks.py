"""Which acknowledgements are delayed, and for how long: the relay's cost depends on it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.delayed_acks import DelayedAcks
from casedesk_proxy.upstream.dispatch import Dispatcher
from tests.planning.configs import make_snapshot


async def test_only_local_engines_that_send_at_once() -> None:
    dispatcher = Dispatcher(asyncio.get_running_loop())
    snapshot = make_snapshot()
    google = replace(snapshot.nodes["google"], tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    dispatcher.apply(replace(snapshot, nodes={**snapshot.nodes, "google": google}))
    delayed = {pool.address.host: pool.acks is not None for pool in dispatcher._pools.values()}
    assert delayed == {"127.0.0.1": True, "gemini.example": False, "::1": False}
    dispatcher.close()


class _Stream:
    events = 0


class _Connection(NodeConnection):
    """Counts how often its delay was renewed; ``fault`` is the kernel's error."""

    __slots__ = ("fault", "renewed")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.renewed = 0
        self.fault: OSError | None = None

    def delay_acks(self) -> None:
        self.renewed += 1
        if self.fault is not None:
            raise self.fault


async def until(acks: DelayedAcks, looks: int) -> None:
    """Wait until so many rounds over all streams have begun and ended."""
    for _ in range(looks):
        assert acks._timer is not None
        acks._timer.cancel()
        acks._look_round()
        while acks._timer is None and acks._row:
            await asyncio.sleep(0)


async def test_the_delay_of_fast_streams_is_renewed() -> None:
    loop = asyncio.get_running_loop()
    acks = DelayedAcks(loop, Turns(loop), period_s=3600.0)
    fast, slow = _Connection(loop), _Connection(loop)
    rushing, dripping = _Stream(), _Stream()
    watched = [acks.watch(fast, rushing), acks.watch(slow, dripping)]
    for _ in range(3):
        rushing.events += 25 * 3600
        dripping.events += 24 * 3600
        await until(acks, 1)
    assert (fast.renewed, slow.renewed) == (3, 0)
    await until(acks, 1)
    assert fast.renewed == 3
    fast.fault = OSError("gone")
    rushing.events += 25 * 3600
    await until(acks, 1)
    assert fast.renewed == 4
    for one in watched:
        one.end()
    await until(acks, 1)
    assert acks._timer is None
    assert not acks._row
    acks.close()


async def test_thousands_are_looked_at_in_turns() -> None:
    loop = asyncio.get_running_loop()
    acks = DelayedAcks(loop, Turns(loop, budget_s=0.0), period_s=0.001)
    connections = [_Connection(loop) for _ in range(350)]
    stream = _Stream()
    watched = [acks.watch(one, stream) for one in connections]
    stream.events = 1000
    async with asyncio.timeout(30):
        while not all(one.renewed for one in connections):
            await asyncio.sleep(0)
    assert {one.renewed for one in connections} == {1}
    for one in watched:
        one.end()
    acks.close()


async def test_a_connection_that_is_closed_is_left_alone() -> None:
    connection = NodeConnection(asyncio.get_running_loop())
    connection.delay_acks()
    assert connection.transport is None
