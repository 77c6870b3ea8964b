"""Nodes that answer with a 4xx that is their own fault: another one is tried, they are left out for
a time, and no client learns that its own credential or request is wrong."""

from __future__ import annotations

import asyncio
import json

import pytest

from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.server.waits import Waits
from tests.fixtures import raw_client
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection, Play
from tests.fixtures.sdks import anthropic
from tests.server.gateways import chat
from tests.server.pooled import Member, pooled
from tests.server.test_failover import BODY, ORDERED, good, head

POLICIES = ["least-streams", "ordered", "round-robin", "prefix-affinity"]
LOST = b'{"error":{"message":"The model `m` does not exist.","type":"NotFoundError"}}'
DENIED = b'{"error":{"message":"Incorrect API key provided: sk-o***WXYZ","type":"x"}}'
FLAGGED = b'{"error":{"message":"Your input was flagged","type":"x"}}'


def saying(*replies: tuple[int, bytes]) -> Play:
    """Send each reply in turn, and then the last one again and again."""
    left = list(replies)

    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            status, body = left.pop(0) if len(left) > 1 else left[0]
            await connection.send(head(status, len(body)) + body)

    return play


def talk(number: int) -> bytes:
    """One of several conversations, which affinity distributes over the nodes."""
    said = [{"role": "user", "content": f"conversation {number}"}]
    body = json.dumps({"model": "m", "messages": said}).encode()
    return chat(stream=False).partition(b"Content-Length")[0] + (
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def embed() -> bytes:
    return chat(stream=False).replace(b"/v1/chat/completions", b"/v1/embeddings")


def heard(member: Member) -> int:
    return sum(connection.received.count(b"POST ") for connection in member.connections)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("status", "body"), [(401, DENIED), (402, b"{}"), (403, b""), (404, LOST), (400, LOST)]
)
async def test_a_node_that_refuses_fast_draws_nobody(policy: str, status: int, body: bytes) -> None:
    """Such a node always has the fewest streams."""
    a, b = Member("a", saying((status, body))), Member("b", good)
    async with pooled(a, b, deployment=f", policy: {policy}") as stage:
        for number in range(12):
            answers = await asyncio.gather(*(stage.ask(talk(number)) for _ in range(2)))
            assert {one[0] for one in answers} == {200}
        assert 1 <= heard(a) <= 4
        assert stage.in_flight() == 0


@pytest.mark.parametrize("between", [(400, b"{}"), (404, b"{}"), (403, FLAGGED), (501, b"")])
async def test_no_4xx_wipes_the_strikes_of_earlier_errors(between: tuple[int, bytes]) -> None:
    ill = (500, b"{}")
    async with pooled(Member("a", saying(ill, between, ill, between, ill))) as stage:
        health = stage.gateway.dispatcher.slots.states["a"].breaker
        for _ in range(5):
            assert health.is_closed()
            await stage.ask(chat(stream=False))
        assert not health.is_closed()


async def test_a_model_that_was_lost_is_asked_for_elsewhere_and_nothing_else_is() -> None:
    async def play(connection: NodeConnection) -> None:
        while True:
            asked = (await connection.request()).target
            body = LOST if "/chat/" in asked else BODY
            await connection.send(head(404 if "/chat/" in asked else 200, len(body)) + body)

    a, b = Member("a", play), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        for request in (chat(), chat(), embed()):
            assert (await stage.ask(request))[0] == 200
        assert [one.node for one in stage.seen] == ["b", "b", "a"]
        assert [one.attempts for one in stage.seen] == [2, 1, 1]
        state = stage.gateway.dispatcher.slots.states["a"]
        assert state.breaker.is_closed()
        now = asyncio.get_running_loop().time()
        assert state.lacking(now) == [("m", "chat/completions")]
        assert not state.lacking(now + 60)


async def test_a_path_that_a_node_does_not_serve_is_looked_for_elsewhere() -> None:
    a, b = Member("a", saying((501, b"{}"))), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        for _ in range(5):
            assert (await stage.ask(embed()))[0] == 200
        assert heard(a) == 3
        assert stage.gateway.dispatcher.slots.states["a"].breaker.is_closed()


@pytest.mark.parametrize("status", [401, 402, 403, 407])
async def test_a_refused_key_is_told_as_the_operators_affair(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    a = Member("a", saying((status, DENIED)))
    async with pooled(a) as stage:
        for _ in range(4):
            told, headers, body = await stage.ask(chat())
            assert told == 500
            assert headers["x-should-retry"] == "false"
            assert b"node a denies the proxy access" in body
            assert b"sk-o" not in body
        outcome = stage.seen[0]
        assert outcome.terminal is Terminal.NODE_UNAVAILABLE
        assert outcome.facts()["code"] == "node_key_refused"
        assert stage.in_flight() == 0
        state = stage.gateway.dispatcher.slots.states["a"]
        assert str(status) in state.last_error
    logged = [one.message for one in caplog.records if one.levelname == "WARNING"]
    mend = "no credit left" if status == 402 else "nodes.a.api_key"
    assert [mend in one for one in logged if "node a" in one] == [True, True], logged
    assert "sk-o" not in caplog.text


async def test_a_reload_gives_a_refused_node_another_chance() -> None:
    a, b = Member("a", saying((401, DENIED))), Member("b", good)
    async with pooled(a, b, deployment=", policy: ordered") as stage:
        state = stage.gateway.dispatcher.slots.states["a"]
        for action in ("embeddings", "completions", "chat/completions"):
            request = chat(stream=False).replace(b"chat/completions", action.encode())
            assert (await stage.ask(request))[0] == 200
        assert not state.breaker.is_closed()
        stage.gateway.dispatcher.slots.apply(stage.gateway.serving.snapshot)
        assert state.breaker.is_closed()
        assert state.is_healthy(asyncio.get_running_loop().time(), ("m", "embeddings"))


async def test_the_404_names_the_model_that_is_missing_and_is_no_success() -> None:
    a = Member("a", saying((404, LOST)))
    async with pooled(a, deployment=", aliases: {fast: m}") as stage:
        request = raw_client.request("/v1/chat/completions", {"model": "fast", "stream": True})
        status, _, body = await stage.ask(request)
        assert status == 404
        error = json.loads(body)["error"]
        assert error["code"] == "model_not_found"
        assert "alias 'fast' points to 'm', which node a no longer has" in error["message"]
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.NODE_UNAVAILABLE
        assert (outcome.asked, outcome.model, outcome.status) == ("fast", "m", 404)


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b'{"error":{"message":"no","type":"x"}}'), (403, FLAGGED), (422, FLAGGED)],
)
async def test_what_the_client_has_to_mend_is_its_own(status: int, body: bytes) -> None:
    a, b = Member("a", saying((status, body))), Member("b", good)
    async with pooled(a, b, deployment=ORDERED) as stage:
        for _ in range(5):
            told, _, said = await stage.ask(chat())
            assert (told, said) == (status, body)
        assert heard(b) == 0
        assert stage.gateway.dispatcher.slots.states["a"].breaker.is_closed()


@pytest.mark.parametrize("late", [LOST, LOST[:20], b""])
async def test_an_error_whose_words_come_late_or_never(late: bytes) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(head(404, len(LOST)))
        await asyncio.sleep(0.01)
        await connection.send(late)
        await connection.until_gone()

    a, b = Member("a", play), Member("b", good)
    async with pooled(a, b, deployment=ORDERED, waits=Waits(error_remainder_s=0.05)) as stage:
        assert (await stage.ask(chat()))[0] == 200
        assert (await stage.outcome()).tried == (("a", "404"),)
        assert stage.in_flight() == 0


@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
@pytest.mark.parametrize("status", [400, 403])
async def test_an_error_that_comes_in_pieces_goes_out_whole(status: int, framing: str) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        lines = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        first, rest, end = FLAGGED[:9], FLAGGED[9:], b""
        if framing == "length":
            lines += f"Content-Length: {len(FLAGGED)}\r\n"
        elif framing == "chunks":
            lines += "Transfer-Encoding: chunked\r\n"
            first, rest = (b"%x\r\n%b\r\n" % (len(one), one) for one in (first, rest))
            end = b"0\r\n\r\n"
        await connection.send(lines.encode() + b"\r\n" + first)
        await asyncio.sleep(0.01)
        await connection.send(rest, end)

    async with pooled(Member("a", play)) as stage:
        assert (await stage.ask(chat()))[::2] == (status, FLAGGED)
        await stage.quiet()


async def test_a_client_that_leaves_before_the_words_frees_the_slot() -> None:
    said = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(head(403, 10))
        said.set()
        await connection.until_gone()

    a = Member("a", play)
    async with pooled(a) as stage:
        client = await stage.connect()
        client.write(chat())
        await said.wait()
        client.leave("reset")
        assert (await stage.outcome()).terminal is Terminal.CLIENT_GONE
        await asyncio.wait_for(a.connections[0].until_gone(), PATIENCE_S)
        assert stage.in_flight() == 0


@pytest.mark.parametrize(
    ("speaks", "begun"), [("anthropic", False), ("openai", False), ("openai", True)]
)
async def test_a_reply_that_its_node_broke_is_not_asked_for_again_by_the_sdk(
    speaks: str, begun: bool
) -> None:
    """anthropic's and openai's SDKs repeat a request twice after every 5xx, and each repetition is
    generated again."""

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        if begun:
            await connection.send(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{")

    a = Member("a", play, speaks=speaks)
    async with pooled(a) as stage:
        url = stage.gateway.urls[0]
        async with anthropic.AsyncAnthropic(base_url=url, api_key="x") as ai:
            with pytest.raises(anthropic.InternalServerError) as caught:
                await ai.messages.create(
                    model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
                )
        assert caught.value.status_code == 500
        assert caught.value.type == "api_error"
        assert heard(a) == 1
