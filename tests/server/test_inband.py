"""An error that a node puts into a reply of status 200 is sent as the same HTTP error would be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.raw_node import NodeConnection
from tests.server import gateways
from tests.server.gateways import SSE, Stage, chunk, staged
from tests.server.test_app import outcomes, wait_for

LONG = "This model's maximum context length is 8192 tokens. However, your request has 9010 input "
LONG += "tokens."
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"w"}}]}\n\n'


def sse(told: Any) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"


async def ask(stage: Stage, surface: str, stream: bool) -> tuple[int, bytes]:
    said = {"role": "user", "content": "hi"}
    if surface == "anthropic":
        path = "/v1/messages"
        body: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [said], "stream": stream}
    else:
        action = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path, body = f"/v1beta/models/m:{action}", {"contents": [{"parts": [{"text": "hi"}]}]}
    raw = json.dumps(body).encode()
    client = await stage.connect()
    client.write(
        f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nanthropic-version: 1\r\n"
        f"Content-Length: {len(raw)}\r\n\r\n".encode()
        + raw
    )
    async with asyncio.timeout(10):
        head = await client.head()
        if "content-length" in head.fields:
            return head.status, (await client.reply()).body
        return head.status, await client.rest()


ERRORS: list[tuple[Any, int, int, str]] = [
    ({"error": {"message": LONG, "code": 400}}, 400, 400, "9010"),
    ({"object": "error", "message": LONG, "code": 400}, 400, 400, "9010"),
    ({"error": LONG}, 400, 400, "9010"),
    ({"detail": LONG}, 400, 400, "9010"),
    ({"detail": [{"msg": "n is wrong", "loc": ["n"]}]}, 400, 400, "n is wrong"),
    ({"error": {"message": "m is not a multimodal model", "code": 400}}, 400, 400, "kind of input"),
    ({"error": {"message": "The request queue is full.", "code": 503}}, 503, 529, "available"),
    ({"error": {"message": "EngineCore died", "code": 500}}, 500, 500, "failed"),
    ({"error": "EngineCore died"}, 500, 500, "failed"),
    ({"error": {"message": "slow down", "type": "rate_limit_error"}}, 429, 429, "capacity"),
]


@pytest.mark.parametrize(("told", "gemini", "anthropic", "has"), ERRORS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("whole", [True, False])
async def test_nothing_was_sent_yet(
    told: Any,
    gemini: int,
    anthropic: int,
    has: str,
    stream: bool,
    whole: bool,
) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        body = json.dumps(told).encode()
        if whole:
            await connection.send(PLAIN % len(body), body)
        else:
            await connection.send(SSE, chunk(sse(told)), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

    async with staged(play, speaks="[openai]") as stage:
        seen = outcomes(stage)
        for nth, (surface, wanted) in enumerate((("gemini", gemini), ("anthropic", anthropic)), 1):
            status, body = await ask(stage, surface, stream)
            assert status == wanted
            assert has in json.loads(body)["error"]["message"]
            outcome = await wait_for(seen, nth)
            assert outcome.facts()["reason"]
            assert stage.in_flight() == 0


async def test_the_log_has_the_reason_and_the_client_not() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        told = {"error": {"message": "EngineCore died of 'my own prompt'", "code": 500}}
        await connection.send(SSE, chunk(sse(told)), b"0\r\n\r\n")

    async with staged(play, speaks="[openai]") as stage:
        seen = outcomes(stage)
        _, body = await ask(stage, "anthropic", True)
        assert b"EngineCore" not in body
        outcome = await wait_for(seen)
        assert outcome.terminal is Terminal.NODE_BROKE
        assert "EngineCore died of" in outcome.facts()["reason"]
        assert "prompt" not in outcome.facts()["reason"]


@pytest.mark.parametrize("code", [400, 500])
async def test_after_the_first_word_the_stream_breaks(code: int) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        told = {"error": {"message": LONG if code == 400 else "EngineCore died", "code": code}}
        await connection.send(SSE, chunk(WORD), chunk(sse(told)), b"0\r\n\r\n")

    async with staged(play, speaks="[openai]") as stage:
        seen = outcomes(stage)
        status, body = await ask(stage, "anthropic", True)
        assert status == 200
        assert (b"event: error" in body, b"message_stop" in body) == (True, False)
        assert (b"prompt is too long" in body) is (code == 400)
        outcome = await wait_for(seen)
        assert outcome.terminal is not Terminal.COMPLETED
        assert ("EngineCore" in outcome.facts()["reason"]) is (code == 500)


async def test_after_the_first_word_a_body_is_lost_like_one_that_broke() -> None:
    """A client that repeats the request has it generated again."""

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        told = {"error": {"message": "EngineCore died", "code": 503}}
        await connection.send(
            SSE, chunk(b": ping\n\n"), chunk(WORD), chunk(sse(told)), b"0\r\n\r\n"
        )

    async with staged(play, speaks="[openai]") as stage:
        seen = outcomes(stage)
        assert (await ask(stage, "gemini", False))[0] == 502
        assert "EngineCore died" in (await wait_for(seen)).facts()["reason"]


async def test_comments_are_no_part_of_an_answer() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        told = {"error": {"message": "queue full", "code": 503}}
        await connection.send(
            SSE, chunk(b": ping\n\n"), chunk(b":\n\n"), chunk(sse(told)), b"0\r\n\r\n"
        )

    async with staged(play, speaks="[openai]") as stage:
        assert (await ask(stage, "gemini", False))[0] == 503


# Nodes that speak the client's protocol

OWN: list[tuple[str, Any, int, str]] = [
    ("openai", {"error": {"message": LONG, "code": 400}}, 400, "maximum context length"),
    ("openai", {"object": "error", "message": LONG, "code": 400}, 400, "maximum context length"),
    ("openai", {"error": {"message": "EngineCore died", "code": 500}}, 500, "failed"),
    ("openai", {"error": {"message": "image input is not supported", "code": 500}}, 400, "image"),
    ("openai", {"error": {"message": "queue full", "code": 503}}, 503, "available"),
    ("anthropic", {"type": "error", "error": {"type": "invalid_request_error", "message": LONG}},
     400, "prompt is too long: 9010"),
    ("gemini", {"error": {"code": 400, "message": LONG, "status": "INVALID_ARGUMENT"}}, 400,
     "token count (9010)"),
]  # fmt: skip


async def ask_own(stage: Stage, surface: str, stream: bool) -> tuple[int, bytes]:
    if surface != "openai":
        return await ask(stage, surface, stream)
    client = await stage.connect()
    client.write(gateways.chat(stream=stream, extra="Connection: close\r\n"))
    async with asyncio.timeout(10):
        head = await client.head()
        return head.status, await client.rest()


@pytest.mark.parametrize(("surface", "told", "wanted", "has"), OWN)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("version", ["1.1", "close"])
async def test_an_error_that_comes_with_the_head_of_a_relayed_reply(
    surface: str, told: Any, wanted: int, has: str, stream: bool, version: str
) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        event = (b"event: error\n" if surface == "anthropic" else b"") + sse(told)
        body = json.dumps(told).encode()
        if not stream:
            await connection.send(PLAIN % len(body) + body)
        elif version == "close":
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            await connection.send(head + event)
        else:
            await connection.send(SSE + chunk(event) + b"0\r\n\r\n")

    async with staged(play) as stage:
        seen = outcomes(stage)
        status, body = await ask_own(stage, surface, stream)
        assert status == wanted
        assert has in json.loads(body)["error"]["message"]
        assert (await wait_for(seen)).facts()["reason"]
        assert stage.in_flight() == 0


async def test_an_error_behind_the_head_goes_out_as_the_nodes_bytes() -> None:
    event = sse({"error": {"message": LONG, "code": 400}})

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE)
        await asyncio.sleep(0.05)
        await connection.send(chunk(event) + b"0\r\n\r\n")

    async with staged(play) as stage:
        status, body = await ask_own(stage, "openai", True)
        assert (status, body) == (200, chunk(event) + b"0\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [{"choices": [{"message": {"content": '{"error": 1}'}}], "error": None}, {"error": None},
     {"message": {"content": "a"}, "code": None}, {"detail": None, "data": []}],
)  # fmt: skip
async def test_an_answer_is_no_error(answer: Any) -> None:
    body = json.dumps(answer).encode()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(PLAIN % len(body) + body)

    async with staged(play) as stage:
        assert await ask_own(stage, "openai", False) == (200, body)
