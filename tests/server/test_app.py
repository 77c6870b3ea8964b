"""The whole gateway over real sockets, with a node that is played byte by byte."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from dataclasses import replace

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.server.waits import WAITS, Waits
from tests.fixtures.loop_turns import most_per_turn
from tests.fixtures.patience import AT_ONCE_S, PATIENCE_S
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, Stage, chat, chunk, staged

EVENT = b'data: {"choices":[{"delta":{"content":"w"},"finish_reason":"stop"}]}\n\n'
UNARY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def outcomes(stage: Stage) -> list[ExchangeRecord]:
    """The records from now on."""
    seen: list[ExchangeRecord] = []
    stage.sinks.append(seen.append)
    return seen


async def wait_for(seen: list[ExchangeRecord], count: int = 1) -> ExchangeRecord:
    async with asyncio.timeout(PATIENCE_S):
        while len(seen) < count:
            await asyncio.sleep(0.001)
    return seen[count - 1]


@pytest.mark.parametrize("seed", range(12))
async def test_bodies_arrive_as_the_node_sent_them(seed: int) -> None:
    """Bodies of up to 5 MB, chunks, extensions, trailers and the borders of packets are random."""
    chance = random.Random(seed)
    size = chance.choice([1, 2, 100, 5_000, 70_000, 5_000_000])
    payload = chance.randbytes(size // 2) + (b"0\r\n\r\n" * (size // 10 + 1))[: size - size // 2]
    wire, position = b"", 0
    while position < len(payload):
        step = chance.choice([1, 7, 300, 2048, 60_000]) if size < 10_000 else 60_000
        piece = payload[position : position + step]
        wire += b"%x%b\r\n%b\r\n" % (len(piece), chance.choice([b"", b";e=1"]), piece)
        position += step
    trailer = chance.choice([b"", b"X-Sum: 1\r\n"])
    wanted, wire = wire + b"0\r\n\r\n", wire + b"0\r\n" + trailer + b"\r\n"

    async def play(connection: NodeConnection) -> None:
        for _ in range(2):
            await connection.request()
            position, everything = 0, SSE + wire
            while position < len(everything):
                step = chance.choice([1, 5, 333, 65_536]) if size < 10_000 else 100_000
                await connection.send(everything[position : position + step])
                position += step
        await connection.until_gone()

    async with staged(play) as stage:
        client = await stage.connect()
        for _ in range(2):
            client.write(chat())
            head = await client.head()
            assert (head.status, head.fields["transfer-encoding"]) == (200, "chunked")
            reply = await client.reply()
            assert (reply.framed, reply.body) == (wanted, payload), "but for the trailer"
        assert len(stage.connections) == 1, "both connections are used again"
        while stage.in_flight():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [1, 100_000, 5_000_000])
async def test_counted_bodies(size: int) -> None:
    body = random.Random(size).randbytes(size)
    sent = UNARY.replace(b"application/json", b"audio/wav") % size  # No document may be empty.

    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            await connection.send(sent, body)

    async with staged(play) as stage:
        client = await stage.connect()
        for _ in range(3):
            client.write(chat(stream=False))
            head = await client.head()
            assert (head.status, head.fields["content-length"]) == (200, str(size))
            assert await client.take(size) == body
        assert len(stage.connections) == 1


async def test_a_reply_that_ends_with_its_connection_becomes_chunked() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(
            b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", EVENT, EVENT
        )

    async with staged(play) as stage:
        client = await stage.connect()
        for _ in range(2):
            client.write(chat())
            assert (await client.head()).fields["transfer-encoding"] == "chunked"
            assert (await client.reply()).body == EVENT * 2


async def test_an_http_1_0_client_gets_bare_bytes() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT), chunk(EVENT), b"0\r\n\r\n")
        await connection.until_gone()

    async with staged(play) as stage:
        client = await stage.connect()
        client.write(chat(version="1.0"))
        head = await client.head()
        assert head.status == 200
        assert "transfer-encoding" not in head.fields
        assert await client.rest() == EVENT * 2


@pytest.mark.parametrize(
    ("how", "when"),
    [
        *itertools.product(
            ["close", "reset"], ["before the head", "in the stream", "in a counted body"]
        ),
        ("half-close", "in the stream"),
        ("half-close", "in a counted body"),
    ],
)
async def test_a_client_that_leaves_frees_the_node_at_once(how: str, when: str) -> None:
    asked = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        if when == "in the stream":
            await connection.send(SSE, chunk(EVENT))
        elif when == "in a counted body":
            await connection.send(UNARY % 1000, b"x" * 10)
        asked.set()
        await connection.until_gone()

    async with staged(play) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat(stream=when == "in the stream"))
        await asked.wait()
        if when != "before the head":
            await client.head()
            await client.take(1)
        client.leave(how)
        async with asyncio.timeout(AT_ONCE_S):
            await stage.connections[0].until_gone()
        outcome = await wait_for(seen)
        assert outcome.terminal is Terminal.CLIENT_GONE
        assert stage.in_flight() == 0


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([chunk(EVENT)], True),
        ([chunk(EVENT), chunk(EVENT)], True),
        ([], True),
        ([chunk(EVENT), chunk(EVENT[:-1])], False),
        ([chunk(EVENT), chunk(EVENT)[:-4]], False),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_node_that_dies_never_looks_finished(
    pieces: list[bytes], told: bool, reset: bool
) -> None:
    heard = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, *pieces)
        await heard.wait()  # A reset would overtake what was said.
        if reset:
            connection.abort()

    async with staged(play) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat())
        await client.head()
        sent = b"".join(pieces)
        assert await client.take(len(sent)) == sent
        heard.set()
        added = await client.rest()
        assert not (sent + added).endswith(b"0\r\n\r\n")
        if told:
            data = added.split(b"\r\n", 1)[1].removesuffix(b"\r\n")
            assert json.loads(data.removeprefix(b"data: "))["error"]["message"]
        else:
            assert added == b""
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE
        assert stage.in_flight() == 0


@pytest.mark.parametrize("last", [b"0\r\n\r\n", chunk(b"data: ") + b"0\r\n\r\n"])
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("count", [0, 1, 9])
async def test_a_node_that_ends_its_message_within_an_answer_does_not_look_finished(
    last: bytes, apart: bool, count: int
) -> None:
    event = b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'
    last = last if count else b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        said = [chunk(event)] * count
        pieces = [SSE, *said, last] if apart else [SSE + b"".join(said) + last]
        for piece in pieces:
            await connection.send(piece)
            await asyncio.sleep(0.01)
        await connection.until_gone()

    async with staged(play) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat())
        head = await client.head()
        if not count and not apart:
            # Nothing has been sent yet, so that it can be told as it should be.
            assert (head.status, "content-length" in head.fields) == (502, True)
        else:
            rest = await client.rest()
            assert not rest.endswith(b"0\r\n\r\n")
            assert rest.count(b'"w"') == count
            assert (b'"error"' in rest) is last.startswith(b"0")
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE
        assert stage.in_flight() == 0


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"", 502),
        (b"HTTP/1.1 2", 502),
        (b"SSH-2.0-x\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 502),
        (b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n", 502),
    ],
)
async def test_a_node_that_gives_no_reply(reply: bytes, status: int) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(reply)

    async with staged(play) as stage:
        client = await stage.connect()
        client.write(chat())
        head = await client.head()
        body = (await client.reply()).body
        assert head.status == status
        assert json.loads(body)["error"]["message"]
        assert b"127.0.0.1" not in body
        assert b"10.0.0.1" not in body
        assert "location" not in head.fields
        assert len(stage.connections) == 1, "a request that may have begun is not repeated"
        assert stage.in_flight() == 0


async def test_a_stale_connection_is_replaced_once() -> None:
    """The node ends the kept connection while the next request is sent on it."""

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(UNARY % 2, b"{}")
        if connection is stages[0].connections[0]:
            await connection.request()
            connection.abort()
        else:
            await connection.until_gone()

    stages: list[Stage] = []
    async with staged(play) as stage:
        stages.append(stage)
        client = await stage.connect()
        for _ in range(2):
            client.write(chat(stream=False))
            assert (await client.head()).status == 200
            assert await client.take(2) == b"{}"
        assert len(stage.connections) == 2
        told = [
            re.sub(rb"x-request-id: \w+", b"", connection.received)
            for connection in stage.connections
        ]
        assert told[0] == told[1] * 2, "the very same request again"


@pytest.mark.parametrize("end", [b"", b"Connection: close\r\n"])
async def test_a_408_is_an_answer(end: bytes) -> None:
    """Also on a kept connection: a model may have worked on the request, and is not to do so
    twice."""

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(UNARY % 2, b"{}")
        await connection.request()
        await connection.send(
            b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n" + end + b"\r\n"
        )
        await connection.until_gone()

    async with staged(play) as stage:
        client = await stage.connect()
        client.write(chat(stream=False))
        assert (await client.head()).status == 200
        assert await client.take(2) == b"{}"
        client.write(chat(stream=False))
        assert (await client.head()).status == 408
        assert len(stage.connections) == 1


async def test_nobody_listens() -> None:
    async def play(connection: NodeConnection) -> None:
        raise AssertionError

    async with staged(play) as stage:
        spec = stage.gateway.serving.snapshot.nodes["n"]
        pool = stage.gateway.dispatcher._pool(spec)
        pool.address = pool.address._replace(port=1)
        client = await stage.connect()
        client.write(chat())
        head = await client.head()
        body = json.loads((await client.reply()).body)
        assert head.status == 502
        assert (
            body["error"]["message"]
            == "node n refused the connection; start it, or correct its url"
        )


async def test_a_node_that_never_answers_times_out() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.until_gone()

    async with staged(play, node=", first_byte_timeout: 50ms") as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat())
        assert (await client.head()).status == 504
        await stage.connections[0].until_gone()
        assert (await wait_for(seen)).terminal is Terminal.TIMED_OUT


async def test_a_silent_stream_is_cut_honestly_and_one_that_talks_in_time_is_not() -> None:
    talk = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        if len(stages[0].connections) == 1:
            await connection.until_gone()
        else:
            for _ in range(5):
                await asyncio.sleep(0.1)
                await connection.send(chunk(EVENT))
            await connection.send(b"0\r\n\r\n")

    stages: list[Stage] = []
    async with staged(play, node=", idle_timeout: 300ms") as stage:
        stages.append(stage)
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat())
        await client.head()
        rest = await client.rest()
        assert rest.startswith(chunk(EVENT))
        assert b'"error"' in rest
        assert not rest.endswith(b"0\r\n\r\n")
        assert (await wait_for(seen)).terminal is Terminal.TIMED_OUT
        talk.set()
        client = await stage.connect()
        client.write(chat())
        await client.head()
        assert (await client.reply()).body == EVENT * 6
        assert (await wait_for(seen, 2)).terminal is Terminal.COMPLETED


async def test_a_client_that_stops_reading_pauses_its_node_and_is_given_up() -> None:
    pushed = 0

    async def play(connection: NodeConnection) -> None:
        nonlocal pushed
        await connection.request()
        await connection.send(SSE)
        while pushed < 500_000_000:
            await connection.send(chunk(b"x" * 60_000))
            pushed += 60_000

    async with staged(play, deployment=", client_stall_timeout: 200ms") as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.stop_reading()
        client.write(chat())
        outcome = await wait_for(seen)
        assert outcome.terminal is Terminal.CLIENT_STALLED
        assert pushed < 100_000_000
        assert stage.in_flight() == 0
        await stage.connections[0].until_gone()
        client.abort()


async def test_what_a_node_hears() -> None:
    heard: list[bytes] = []

    async def play(connection: NodeConnection) -> None:
        heard.append((await connection.request()).head)
        await connection.send(UNARY % 2, b"{}")

    async with staged(play) as stage:
        client = await stage.connect()
        body = b"{}"
        client.write(
            b"POST /v1beta/models/m:generateContent?b=2&key=SECRET&a=1&b=2&$alt=x HTTP/1.1\r\n"
            b"Host: h\r\nx-goog-api-key: SECRET\r\nX-Goog-Thing: v1\r\nx-goog-thing: v2\r\n"
            b"Authorization: Bearer SECRET\r\nCookie: SECRET\r\nX-Conversation-Id: SECRET\r\n"
            b"traceparent: 00-a\r\nUser-Agent: me\r\nContent-Length: 2\r\n\r\n" + body
        )
        assert (await client.head()).status == 200
        head = heard[0].decode()
        assert head.startswith("POST /v1beta/models/m:generateContent?b=2&a=1&b=2&$alt=x HTTP/1.1")
        assert "SECRET" not in head
        assert "X-Goog-Thing: v1\r\nx-goog-thing: v2\r\n" in head
        assert "traceparent: 00-a\r\nUser-Agent: me\r\n" in head
        assert "\r\nHost: 127.0.0.1:" in head


async def test_a_node_that_hangs_keeps_nobody_who_asks_for_an_unknown_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(node: object) -> None:
        await asyncio.Event().wait()

    async with staged(hang, waits=Waits(model_refresh_s=0.01, metadata_pause_s=0.0)) as stage:
        metadata = stage.gateway.metadata
        monkeypatch.setattr(metadata, "_look_at", hang)
        client = await stage.connect()
        client.write(chat().replace(b'"m"', b'"x"'))
        async with asyncio.timeout(PATIENCE_S):
            assert (await client.reply()).status == 404
        assert metadata._round is not None
        assert not metadata._round.done(), "it is looked at all the same"
    assert metadata._round.cancelled(), "until the service stops"


async def test_hundreds_of_streams_lose_nothing() -> None:
    """e2e/test_long.py does the same with thousands."""
    count, events = 400, 3
    everyone = asyncio.Event()
    waiting = 0

    async def play(connection: NodeConnection) -> None:
        nonlocal waiting
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        waiting += 1
        if waiting == count:
            everyone.set()
        await everyone.wait()
        await connection.send(*[chunk(EVENT)] * (events - 1), b"0\r\n\r\n")
        await connection.until_gone()

    async def one(stage: Stage) -> bytes:
        client = await stage.connect()
        client.write(chat())
        await client.head()
        body = (await client.reply()).body
        client.close()
        return body

    async with staged(play) as stage:
        bodies = await asyncio.gather(*(one(stage) for _ in range(count)))
        assert bodies == [EVENT * events] * count
        while stage.in_flight():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("who", ["clients by close", "clients by reset", "a node"])
async def test_a_crowd_ends_one_by_one(who: str) -> None:
    """With a budget of zero each turn ends one stream, whatever the machine's speed."""
    count = 40

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        await connection.until_gone()

    async with staged(play, waits=replace(WAITS, turn_budget_s=0)) as stage:
        for _ in range(count):
            client = await stage.connect()
            client.write(chat())
            await client.head()
            await client.take_through(EVENT)
        ended = outcomes(stage)
        for client in stage.clients if who != "a node" else ():
            client.leave(who.removeprefix("clients by "))
        for connection in stage.connections if who == "a node" else ():
            connection.close()
        assert await most_per_turn(lambda: len(ended), lambda: len(ended) == count) == 1
        assert stage.in_flight() == 0
        wanted = Terminal.NODE_BROKE if who == "a node" else Terminal.CLIENT_GONE
        assert {exchange.terminal for exchange in ended} == {wanted}


async def test_a_drain_of_thousands_hears_of_its_end_piece_by_piece() -> None:
    """Idle connections are closed, and streams are cut, some in each turn. No turn uses its budget
    up, so the machine's speed does not matter."""
    count = 250

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        await connection.until_gone()

    async with staged(play, waits=replace(WAITS, turn_budget_s=60)) as stage:
        idle = [await stage.connect() for _ in range(count)]
        for _ in range(50):
            client = await stage.connect()
            client.write(chat())
            await client.take_through(EVENT)
        seen = outcomes(stage)
        while len(stage.gateway._public.connections) < count + 50:
            await asyncio.sleep(0)
        counting = asyncio.ensure_future(most_per_turn(lambda: len(seen), lambda: len(seen) == 50))
        draining = asyncio.ensure_future(stage.gateway.drain(0.3))
        assert await asyncio.gather(*(client.rest() for client in idle)) == [b""] * count
        assert await counting == 20
        await draining
        assert {one.terminal for one in seen} == {Terminal.SHUT_DOWN}


async def test_a_drain_lets_streams_end_and_tells_the_rest() -> None:
    go_on = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT))
        if connection is stages[0].connections[0]:
            await go_on.wait()
            await connection.send(chunk(EVENT), b"0\r\n\r\n")
        await connection.until_gone()

    stages: list[Stage] = []
    async with staged(play) as stage:
        stages.append(stage)
        seen = outcomes(stage)
        peers = []
        for _ in range(2):
            client = await stage.connect()
            client.write(chat())
            await client.head()
            peers.append(client)
        idle = await stage.connect()
        draining = asyncio.ensure_future(stage.gateway.drain(0.3))
        go_on.set()
        assert (await peers[0].reply()).body == EVENT * 2
        assert await idle.rest() == b""
        rest = await peers[1].rest()
        assert b"shutting down" in rest
        assert not rest.endswith(b"0\r\n\r\n")
        await draining
        await wait_for(seen, 2)
        assert {one.terminal for one in seen} == {Terminal.COMPLETED, Terminal.SHUT_DOWN}


async def test_a_name_that_is_not_found_stands_in_the_log() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.until_gone()

    async with staged(play) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        for count, name in enumerate(("no such", "x" * 2000), 1):
            client.write(
                b"GET /v1/models/%b HTTP/1.1\r\nHost: h\r\n\r\n" % name.replace(" ", "%20").encode()
            )
            assert (await client.reply()).status == 404
            outcome = await wait_for(seen, count)
            assert outcome.facts()["asked"] == name[:512]
