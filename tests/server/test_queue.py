"""A node never has more requests than its capacity; the others wait, in fair order and for a
limited time."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.patience import AT_ONCE_S, PATIENCE_S
from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import chat
from tests.server.pooled import Member, PoolStage, pooled

BODY = b'{"ok":true}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + BODY
ONE = ", max_streams: 1"
KEYS = {name: hashlib.sha256(f"cdp-{name}".encode()).hexdigest() for name in ("greedy", "modest")}


class Gate:
    """A node whose replies the test releases one by one. ``most`` is the largest number of requests
    that it had at once."""

    def __init__(self) -> None:
        self.permits = asyncio.Semaphore(0)
        self.now = self.most = self.asked = 0

    async def play(self, connection: NodeConnection) -> None:
        while True:
            await connection.request()
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
            leaving = asyncio.ensure_future(connection.until_gone())
            permit = asyncio.ensure_future(self.permits.acquire())
            done, _ = await asyncio.wait((leaving, permit), return_when=asyncio.FIRST_COMPLETED)
            self.now -= 1
            if permit not in done:
                permit.cancel()
                return
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await connection.send(OK)


async def waiting(stage: PoolStage, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while stage.gateway.dispatcher.slots.admission.waiting("d") != count:
            await asyncio.sleep(0.001)


def bearer(key: str) -> str:
    return f"Authorization: Bearer cdp-{key}\r\n"


async def test_never_more_at_a_node_than_it_has_room_for() -> None:
    gate = Gate()
    async with pooled(Member("a", gate.play, ", max_streams: 3")) as stage:
        asked = [asyncio.ensure_future(stage.ask(chat(stream=False))) for _ in range(20)]
        await waiting(stage, 17)
        for _ in asked:
            gate.permits.release()
        replies = await asyncio.gather(*asked)
        assert [status for status, _, _ in replies] == [200] * 20
        assert gate.most == 3
        assert stage.in_flight() == 0
        waited = [one for one in stage.seen if one.queued]
        assert len(waited) == 17
        assert all(one.facts()["queued"] > 0 for one in waited)


async def test_a_key_with_many_waiting_does_not_starve_one_with_a_single_request() -> None:
    gate = Gate()
    async with pooled(Member("a", gate.play, ONE), keys=KEYS) as stage:
        greedy = chat(stream=False, extra=bearer("greedy"))
        many = [asyncio.ensure_future(stage.ask(greedy)) for _ in range(50)]
        await waiting(stage, 49)
        single = asyncio.ensure_future(stage.ask(chat(stream=False, extra=bearer("modest"))))
        await waiting(stage, 50)
        for _ in range(3):
            gate.permits.release()
        assert (await single)[0] == 200
        assert [one.key for one in stage.seen[:3]].count("modest") == 1
        for _ in many:
            gate.permits.release()
        await asyncio.gather(*many)


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/v1/chat/completions", "", 429),
        ("/v1/messages", "anthropic-version: 2023-06-01\r\n", 529),
        ("/v1beta/models/m:generateContent", "", 429),
    ],
)
@pytest.mark.parametrize("how", ["the queue is full", "the wait is too long"])
async def test_who_cannot_wait_is_told_when_to_come_back(
    target: str, headers: str, status: int, how: str
) -> None:
    gate = Gate()
    limit = ", max_waiting: 0" if how == "the queue is full" else ", queue_timeout: 50ms"
    async with pooled(Member("a", gate.play, ONE), deployment=limit) as stage:
        first = asyncio.ensure_future(stage.ask(chat(stream=False)))
        while not gate.asked:
            await asyncio.sleep(0.001)
        body = b'{"model":"m"}'
        request = (
            f"POST {target} HTTP/1.1\r\nHost: h\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        got, fields, reply = await stage.ask(request)
        assert got == status
        assert int(fields["retry-after"]) >= 1
        error = json.loads(reply)["error"]
        if "generateContent" in target:
            assert error["status"] == "RESOURCE_EXHAUSTED"
            assert any(one["@type"].endswith("RetryInfo") for one in error["details"])
        assert (await stage.outcome()).terminal is Terminal.BUSY
        assert stage.gateway.dispatcher.slots.admission.waiting("d") == 0
        gate.permits.release()
        assert (await first)[0] == 200
        assert stage.in_flight() == 0


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_queued_client_that_leaves_is_gone_at_once(how: str) -> None:
    gate = Gate()
    async with pooled(Member("a", gate.play, ONE)) as stage:
        first = asyncio.ensure_future(stage.ask(chat(stream=False)))
        while not gate.asked:
            await asyncio.sleep(0.001)
        client = await stage.connect()
        client.write(chat())
        await waiting(stage, 1)
        client.leave(how)
        async with asyncio.timeout(AT_ONCE_S):
            await waiting(stage, 0)
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.CLIENT_GONE
        assert outcome.attempts == 0
        assert outcome.cancel is not None
        assert outcome.cancel < AT_ONCE_S
        gate.permits.release()
        assert (await first)[0] == 200
        assert gate.asked == 1, "its request never reached the node"
        assert stage.in_flight() == 0


async def test_a_client_that_leaves_passes_its_slot_to_the_next() -> None:
    gate = Gate()
    async with pooled(Member("a", gate.play, ONE)) as stage:
        client = await stage.connect()
        client.write(chat(stream=False))
        while not gate.asked:
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(stage.ask(chat(stream=False)))
        await waiting(stage, 1)
        client.abort()
        while gate.asked < 2:
            await asyncio.sleep(0.001)
        gate.permits.release()
        assert (await second)[0] == 200


async def test_a_slot_at_another_node_is_as_good() -> None:
    gates = Gate(), Gate()
    async with pooled(Member("a", gates[0].play, ONE), Member("b", gates[1].play, ONE)) as stage:
        asked = [asyncio.ensure_future(stage.ask(chat(stream=False))) for _ in range(3)]
        await waiting(stage, 1)
        gates[1].permits.release()
        gates[1].permits.release()
        while gates[1].asked < 2:
            await asyncio.sleep(0.001)
        gates[0].permits.release()
        assert [status for status, _, _ in await asyncio.gather(*asked)] == [200] * 3


async def test_who_fails_over_waits_for_the_other_node() -> None:
    gate = Gate()
    async with pooled(
        Member("a", None), Member("b", gate.play, ONE), deployment=", policy: ordered"
    ) as stage:
        asked = [asyncio.ensure_future(stage.ask(chat(stream=False))) for _ in range(4)]
        await waiting(stage, 3)
        for _ in asked:
            gate.permits.release()
        assert [status for status, _, _ in await asyncio.gather(*asked)] == [200] * 4


async def test_a_node_that_is_full_by_its_own_word_is_asked_again_after_a_while() -> None:
    told = 0

    async def play(connection: NodeConnection) -> None:
        nonlocal told
        while True:
            await connection.request()
            told += 1
            if told == 1:
                await connection.send(
                    b"HTTP/1.1 429 X\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
                )
            else:
                await connection.send(OK)

    async with pooled(Member("a", play)) as stage:
        assert (await stage.ask(chat(stream=False)))[0] == 429
        assert (await stage.ask(chat(stream=False)))[0] == 200, "it has waited"
        assert (await stage.outcome(2)).queued > 0.5


def holding(hold: asyncio.Event) -> Play:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await hold.wait()
        await connection.send(OK)

    return play


async def test_a_node_that_is_drained_finishes_what_it_has() -> None:
    hold = asyncio.Event()
    a = Member("a", holding(hold))
    async with pooled(a, Member("b", holding(hold))) as stage:
        first = asyncio.ensure_future(stage.ask(chat(stream=False)))
        while not a.connections or not a.connections[0].received:
            await asyncio.sleep(0.001)
        dispatcher, snapshot = stage.gateway.dispatcher, stage.gateway.serving.snapshot
        nodes = {name: node for name, node in snapshot.nodes.items() if name != "a"}
        object.__setattr__(snapshot, "nodes", nodes)
        dispatcher.apply(snapshot)
        assert dispatcher.slots.states["a"].draining
        hold.set()
        assert (await first)[0] == 200
        await stage.outcome()
        assert "a" not in dispatcher.slots.states
