"""An error that a node puts into a reply of status 200 is told as the same HTTP error would be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from casedesk_proxy.exchange.outcome import Terminal
from tests.server.gateways import SSE, NodeSide, Stage, chunk, read_head, staged
from tests.server.test_gateway import outcomes, wait_for

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
    reader, writer = await stage.connect()
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nanthropic-version: 1\r\n"
        f"Content-Length: {len(raw)}\r\n\r\n".encode()
        + raw
    )
    async with asyncio.timeout(10):
        status, headers = await read_head(reader)
        if "content-length" in headers:
            return status, await reader.readexactly(int(headers["content-length"]))
        return status, await reader.read()


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
    async def play(side: NodeSide) -> None:
        await side.request()
        body = json.dumps(told).encode()
        if whole:
            await side.say(PLAIN % len(body), body)
        else:
            await side.say(SSE, chunk(sse(told)), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")

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
    async def play(side: NodeSide) -> None:
        await side.request()
        told = {"error": {"message": "EngineCore died of 'my own prompt'", "code": 500}}
        await side.say(SSE, chunk(sse(told)), b"0\r\n\r\n")

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
    async def play(side: NodeSide) -> None:
        await side.request()
        told = {"error": {"message": LONG if code == 400 else "EngineCore died", "code": code}}
        await side.say(SSE, chunk(WORD), chunk(sse(told)), b"0\r\n\r\n")

    async with staged(play, speaks="[openai]") as stage:
        seen = outcomes(stage)
        status, body = await ask(stage, "anthropic", True)
        assert status == 200
        assert (b"event: error" in body, b"message_stop" in body) == (True, False)
        assert (b"prompt is too long" in body) is (code == 400)
        outcome = await wait_for(seen)
        assert outcome.terminal is not Terminal.COMPLETED
        assert ("EngineCore" in outcome.facts()["reason"]) is (code == 500)
