"""Another node before the first byte, and none after it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.replying.record import Terminal
from tests.fixtures.patience import AT_ONCE_S, PATIENCE_S
from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import SSE, chat, chunk
from tests.server.pooled import Member, pooled

EVENT = b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'
#: Good as an event and, of its node's own words, as a document.
BODY = b"data: [DONE]\n\n"
ORDERED = ", policy: ordered"


def head(status: int, length: int, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


async def good(connection: NodeConnection) -> None:
    while True:
        asked = await connection.request()
        is_stream = b'"stream":true' in asked.body
        answer = head(200, len(BODY)) + BODY
        if is_stream:
            answer = answer.replace(b"application/json", b"text/event-stream")
        await connection.send(answer)


def answering(status: int, *more: str) -> Play:
    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            await connection.send(head(status, 2, *more) + b"{}")

    return play


async def resets(connection: NodeConnection) -> None:
    await connection.request()
    connection.abort()


async def closes(connection: NodeConnection) -> None:
    await connection.request()


async def closes_in_the_head(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 200 O")


async def garbage(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(b"SSH-2.0-x\r\n\r\n")


async def redirects(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 302 F\r\nLocation: http://h/\r\nContent-Length: 0\r\n\r\n")


async def hangs(connection: NodeConnection) -> None:
    await connection.request()
    await connection.until_gone()


FAILS_OVER = [
    (None, "connect"),
    (resets, "lost"),
    (closes, "lost"),
    (closes_in_the_head, "lost"),
    (answering(429), "429"),
    (answering(502), "502"),
    (answering(503), "503"),
    (answering(529), "529"),
    (answering(401), "401"),
    (answering(402), "402"),
    (answering(403), "403"),
    (answering(404), "404"),
    (answering(407), "407"),
    (answering(501), "501"),
]


@pytest.mark.parametrize(("play", "why"), FAILS_OVER)
@pytest.mark.parametrize("stream", [True, False])
async def test_another_node_takes_the_same_bytes(play: Play | None, why: str, stream: bool) -> None:
    a, b = Member("a", play), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        status, _, body = await stage.ask(chat(stream=stream))
        assert (status, body) == (200, BODY)
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.COMPLETED
        assert (outcome.node, outcome.attempts, outcome.tried) == ("b", 2, (("a", why),))
        assert outcome.facts()["tried"] == f"a:{why}"
        if play is not None:
            ours, theirs = (one.connections[0].received for one in (a, b))
            port = b"127.0.0.1:%d"
            assert ours.replace(port % a.port, b"") == theirs.replace(port % b.port, b"")
        (failover,) = stage.gateway.dispatcher.failovers
        assert (failover.from_node, failover.why, failover.to_node) == ("a", why, "b")
        assert stage.in_flight() == 0


@pytest.mark.parametrize(
    ("play", "status"),
    [
        (garbage, 502),
        (redirects, 502),
        (answering(400), 400),
        (answering(413), 413),
        (answering(422), 422),
        (answering(500), 500),
        (answering(504), 504),
    ],
)
async def test_what_another_node_would_not_mend_is_not_tried_again(play: Play, status: int) -> None:
    b = Member("b", good)
    async with pooled(Member("a", play), b, deployment=ORDERED) as stage:
        assert (await stage.ask(chat(stream=False)))[0] == status
        assert b.connections == []
        assert (await stage.outcome()).attempts == 1
        assert stage.in_flight() == 0


async def test_a_node_that_is_slow_to_reply_is_not_exchanged_for_another() -> None:
    a, b = Member("a", hangs), Member("b", good)
    async with pooled(a, b, deployment=", policy: ordered, first_byte_timeout: 100ms") as stage:
        assert (await stage.ask(chat()))[0] == 504
        assert b.connections == []
        await a.connections[0].until_gone()
        assert (await stage.outcome()).terminal is Terminal.TIMED_OUT
        assert stage.in_flight() == 0


async def test_a_request_that_kills_nodes_is_led_to_two_of_them_at_most() -> None:
    members = [Member(name, resets) for name in "abcd"]
    async with pooled(*members, deployment=ORDERED) as stage:
        assert (await stage.ask(chat()))[0] == 502
        outcome = await stage.outcome()
        assert outcome.tried == (("a", "lost"), ("b", "lost"))
        assert outcome.terminal is Terminal.NODE_UNAVAILABLE


async def test_nor_to_a_third_where_one_was_lost_before_its_head_and_one_behind_it() -> None:
    async def dies(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(CHAT_HEAD)

    plays = {"a": resets, "b": dies, "c": finishes}
    members = [Member(name, play, speaks="openai") for name, play in plays.items()]
    async with pooled(*members, deployment=ORDERED) as stage:
        assert (await stage.ask(gemini("generateContent")))[0] == 502
        outcome = await stage.outcome()
        assert [len(member.connections) for member in members] == [1, 1, 0]
        assert (outcome.node, outcome.tried) == ("b", (("a", "lost"),))
        assert outcome.terminal is Terminal.NODE_BROKE
        assert stage.in_flight() == 0


async def test_where_no_node_is_left_its_own_words_are_passed_on() -> None:
    async with pooled(
        Member("a", None), Member("b", answering(503, "Retry-After: 7")), deployment=ORDERED
    ) as stage:
        status, headers, body = await stage.ask(chat())
        assert (status, headers["retry-after"]) == (503, "7")
        # Its body is no error of OpenAI's: it is said in our words.
        assert b"node_unavailable" in body
        assert (await stage.outcome()).terminal is Terminal.COMPLETED


async def test_nobody_at_home() -> None:
    async with pooled(Member("a", None), Member("b", None)) as stage:
        assert (await stage.ask(chat()))[0] == 502
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.NODE_UNAVAILABLE
        assert len(outcome.tried) == 2


async def test_after_the_first_byte_nothing_is_tried_again() -> None:
    async def dies(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE)

    b = Member("b", good)
    async with pooled(Member("a", dies), b, deployment=ORDERED) as stage:
        status, _, body = await stage.ask(chat())
        assert status == 200
        assert b'"error"' in body
        assert not body.endswith(b"0\r\n\r\n")
        assert b.connections == []
        assert (await stage.outcome()).terminal is Terminal.NODE_BROKE


def breaks(*said: bytes) -> Play:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(CHAT_HEAD, *said)

    return play


IN_BAND = b'data: {"error":{"message":"CUDA error","code":500}}\n\n'


async def answers_people(connection: NodeConnection) -> None:
    await connection.request()
    page = CHAT_HEAD.replace(b"text/event-stream", b"text/html")
    await connection.send(page, chunk(b"<html>Welcome</html>"), b"0\r\n\r\n")


@pytest.mark.parametrize(
    "play",
    [breaks(chunk(EVENT)), breaks(chunk(IN_BAND), b"0\r\n\r\n"), answers_people],
)
async def test_a_node_that_breaks_every_reply_it_begins_is_left_alone(play: Play) -> None:
    """The head of its next reply does not make it healthy."""
    a, b = Member("a", play, speaks="openai"), Member("b", finishes, speaks="openai")
    ask = gemini("streamGenerateContent?alt=sse").replace(
        b"Host: h", b"Host: h\r\nConnection: close"
    )
    async with pooled(a, b, deployment=ORDERED) as stage:
        for _ in range(6):
            await stage.ask(ask)
        assert [one.node for one in stage.seen] == list("aaabbb")
        health = stage.gateway.dispatcher.slots.states["a"].breaker
        health.open_until = 0.0  # the cool-down is over
        for _ in range(2):
            await stage.ask(ask)
        assert [one.node for one in stage.seen[6:]] == ["a", "b"]
        assert health.openings == 2
        a.play = finishes
        health.open_until = 0.0
        await stage.ask(ask)
        assert health.is_closed()


async def test_failing_over_can_be_switched_off() -> None:
    b = Member("b", good)
    async with pooled(
        Member("a", None), b, deployment=", policy: ordered, failover_timeout: 0"
    ) as stage:
        assert (await stage.ask(chat()))[0] == 502
        assert b.connections == []


async def test_a_dead_node_is_left_alone_until_its_trial_and_then_serves_again() -> None:
    a, b = Member("a", good), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        assert (await stage.ask(chat()))[0] == 200
        await a.end()
        for _ in range(3):
            assert (await stage.ask(chat()))[0] == 200
        assert [one.node for one in stage.seen] == ["a", "b", "b", "b"]
        assert [one.attempts for one in stage.seen[2:]] == [1, 1], "it is not tried each time"
        await a.begin()
        health = stage.gateway.dispatcher.slots.states["a"].breaker
        health.open_until = 0.0  # the cool-down is over
        assert (await stage.ask(chat()))[0] == 200
        assert stage.seen[-1].node == "a"
        assert health.is_closed()


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (None, "refused the connection; start it, or correct its url"),
        (answering(503), "it answered 503"),
    ],
)
async def test_that_a_node_is_out_and_back_is_logged_once_each(
    play: Play | None, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "casedesk_proxy.upstream")
    a, b = Member("a", play), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        health = stage.gateway.dispatcher.slots.states["a"].breaker
        for _ in range(3):
            assert (await stage.ask(chat()))[0] == 200
            health.open_until = 0.0  # the cool-down is over
        assert [(one.levelname, one.message) for one in caplog.records] == [
            ("WARNING", f"node a is down: {why}")
        ]
        caplog.clear()
        await a.end()
        a.play = good
        await a.begin()
        for _ in range(2):
            assert (await stage.ask(chat()))[0] == 200
        assert stage.seen[-1].node == "a"
        assert [one.message for one in caplog.records] == ["node a is up again"]


async def test_those_who_wait_for_a_dead_node_get_it_as_soon_as_it_replies() -> None:
    """They do not wait until the first of them has its whole reply, which may take minutes."""
    go_on, loop = asyncio.Event(), asyncio.get_running_loop()

    async def slow(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(CHAT_HEAD)
        await go_on.wait()
        await connection.send(chunk(FINISH), b"0\r\n\r\n")

    a, b = Member("a", slow, more=", max_streams: 1"), Member("b", slow)
    async with pooled(a, b, deployment=ORDERED) as stage:
        health = stage.gateway.dispatcher.slots.states["b"].breaker
        asked = [loop.create_task(stage.ask(ENDING))]
        async with asyncio.timeout(PATIENCE_S):
            while not a.connections:
                await asyncio.sleep(0.001)
            health.record_failure(loop.time(), NodeFault.UNREACHABLE, "x")
            asked += [loop.create_task(stage.ask(ENDING)) for _ in range(3)]
            while stage.gateway.waiting["d"] < 3:
                await asyncio.sleep(0.001)
            assert b.connections == []
            health.open_until = 0.0  # the cool-down is over
            stage.gateway.dispatcher.slots.serve_waiting()
            while len(b.connections) < 3:
                await asyncio.sleep(0.001)
        go_on.set()
        assert {(await one)[0] for one in asked} == {200}


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_port_that_accepts_and_closes_is_never_back(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """docker's proxy and `ssh -L` accept connections even if nothing listens at their other end."""
    caplog.set_level("INFO", "casedesk_proxy.upstream")

    async def gone(connection: NodeConnection) -> None:
        connection.reset() if how == "reset" else connection.abort()

    a, b = Member("a", gone), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        health = stage.gateway.dispatcher.slots.states["a"].breaker
        for _ in range(8):
            assert (await stage.ask(chat()))[0] == 200
            health.open_until = 0.0  # the cool-down is over
        assert len(a.connections) == 8
        assert health.openings == 6, "three strikes, then each trial"
        assert [one.message.partition(":")[0] for one in caplog.records] == ["node a is down"]


async def test_a_full_node_says_so_and_gets_nothing_for_as_long_as_it_asked() -> None:
    a, b = Member("a", answering(429, "Retry-After: 20")), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        for _ in range(3):
            assert (await stage.ask(chat()))[0] == 200
        assert [one.attempts for one in stage.seen] == [2, 1, 1]
        state = stage.gateway.dispatcher.slots.states["a"]
        now = asyncio.get_running_loop().time()
        assert state.is_healthy(now)
        assert state.is_full(now + 19, "m")
        assert not state.is_full(now + 20, "m")


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_leaves_while_failing_over_frees_everything(how: str) -> None:
    asked = asyncio.Event()

    async def holds(connection: NodeConnection) -> None:
        await connection.request()
        asked.set()
        await connection.until_gone()

    b = Member("b", holds)
    async with pooled(Member("a", resets), b, deployment=ORDERED) as stage:
        client = await stage.connect()
        client.write(chat())
        await asked.wait()
        client.leave(how)
        async with asyncio.timeout(AT_ONCE_S):
            await b.connections[0].until_gone()
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.CLIENT_GONE
        assert outcome.cancel is not None
        assert outcome.cancel < AT_ONCE_S
        assert stage.in_flight() == 0


class Deaf(Member):
    """A listener with a full backlog: connecting neither succeeds nor fails."""

    sockets: tuple[socket.socket, ...] = ()

    async def begin(self) -> None:
        deaf = socket.socket()
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        self.port = deaf.getsockname()[1]
        self.sockets = (deaf, *(socket.socket() for _ in range(4)))
        for filler in self.sockets[1:]:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())

    async def end(self) -> None:
        for one in self.sockets:
            one.close()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_leaves_while_connecting_frees_its_slot(how: str) -> None:
    async with pooled(Deaf("a", None)) as stage:
        state = stage.gateway.dispatcher.slots.states["a"]
        client = await stage.connect()
        client.write(chat())
        async with asyncio.timeout(PATIENCE_S):
            while not state.in_flight:
                await asyncio.sleep(0)
        await asyncio.sleep(0.02)  # so that it is under way, and not about to begin
        client.leave(how)
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.CLIENT_GONE
        assert outcome.cancel is not None
        assert outcome.cancel < AT_ONCE_S
        assert state.in_flight == 0


async def test_streams_under_way_keep_a_node_alive_that_refuses_new_ones() -> None:
    go_on = asyncio.Event()

    async def streams(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT), chunk(EVENT))
        await go_on.wait()
        await connection.send(chunk(EVENT), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    a, b = Member("a", streams), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        client = await stage.connect()
        client.write(chat())
        await client.take_through(chunk(EVENT) * 2)
        a.stop_listening()
        assert (await stage.ask(chat()))[0] == 200
        state = stage.gateway.dispatcher.slots.states["a"]
        assert state.is_healthy(asyncio.get_running_loop().time())
        assert "refused" in state.last_error
        go_on.set()
        assert (await client.take_through(b"0\r\n\r\n")).startswith(chunk(EVENT))


CHAT_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

ENDING = chat(extra="Connection: close\r\n")


async def finishes(connection: NodeConnection) -> None:
    while True:
        await connection.request()
        await connection.send(CHAT_HEAD, chunk(EVENT), chunk(FINISH), b"0\r\n\r\n")


def gemini(action: str) -> bytes:
    body = b'{"contents":[{"role":"user","parts":[{"text":"x"}]}]}'
    line = f"POST /v1beta/models/m:{action} HTTP/1.1\r\nHost: h\r\n"
    return f"{line}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("said", [b"", chunk(EVENT), chunk(EVENT)[:20]])
async def test_a_translated_unary_reply_that_is_lost_is_collected_anew(said: bytes) -> None:
    """The node sends a stream, and the client waits for one body: it has not received a byte."""

    async def dies(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(CHAT_HEAD, said)

    a, b = Member("a", dies, speaks="openai"), Member("b", finishes, speaks="openai")
    async with pooled(a, b, deployment=ORDERED) as stage:
        status, _, body = await stage.ask(gemini("generateContent"))
        assert status == 200
        assert body.count(b'"w"') == 1
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.COMPLETED
        assert (outcome.node, outcome.tried) == ("b", (("a", "lost"),))
        assert stage.in_flight() == 0


async def test_a_translated_stream_is_begun_anew_only_where_nothing_was_sent() -> None:
    def dies_behind(said: bytes) -> Play:
        async def play(connection: NodeConnection) -> None:
            await connection.request()
            await connection.send(CHAT_HEAD, said)

        return play

    for said, status_of_first in ((b"", "b"), (chunk(EVENT) * 2, "a")):
        a, b = (
            Member("a", dies_behind(said), speaks="openai"),
            Member("b", finishes, speaks="openai"),
        )
        async with pooled(a, b, deployment=ORDERED) as stage:
            _, _, body = await stage.ask(
                gemini("streamGenerateContent?alt=sse").replace(
                    b"Host: h", b"Host: h\r\nConnection: close"
                )
            )
            outcome = await stage.outcome()
            assert outcome.node == status_of_first
            assert (b'"error"' in body) is (status_of_first == "a")
            assert stage.in_flight() == 0


async def test_a_collected_reply_that_is_garbage_is_not_asked_for_again() -> None:
    async def garbles(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(CHAT_HEAD, chunk(b"data: <html>\n\n"), b"0\r\n\r\n")

    b = Member("b", finishes, speaks="openai")
    async with pooled(Member("a", garbles, speaks="openai"), b, deployment=ORDERED) as stage:
        assert (await stage.ask(gemini("generateContent")))[0] == 502
        assert b.connections == []
