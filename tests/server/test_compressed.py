"""Replies that a node compressed without being asked: read, or refused with the reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import chunk, staged

ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
DELTAS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
EVERYTHING = "[gemini, anthropic, openai]"
REASON = "the seed must be positive"
ASKS = {
    "openai": ("/v1/chat/completions", {"model": "m"}),
    "anthropic": (
        "/v1/messages",
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
    ),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": "x"}]}]}),
}


def playing(status: str, kind: str, coding: str, body: bytes) -> Play:
    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Encoding: {coding}\r\n"
            await connection.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
            half = len(body) // 2
            await connection.send(chunk(body[:half]), chunk(body[half:]), b"0\r\n\r\n")

    return play


async def ask(
    play: Play, surface: str, *, speaks: str = EVERYTHING, **more: Any
) -> tuple[bytes, bytes]:
    """The head and the body of the reply, without its chunks' framing if the reply has ended."""
    path, body = ASKS[surface]
    text = json.dumps(body | more).encode()
    async with staged(play, speaks=speaks) as stage:
        client = await stage.connect()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: h\r\nanthropic-version: 2023-06-01\r\n"
            f"Connection: close\r\nContent-Length: {len(text)}\r\n\r\n"
        )
        client.write(head.encode() + text)
        reply, _, coded = (await client.rest()).partition(b"\r\n\r\n")
        assert stage.in_flight() == 0
    if b"chunked" not in reply.lower() or not coded.endswith(b"0\r\n\r\n"):
        return reply, coded
    pieces = [piece async for piece in _chunks(coded)]
    return reply, b"".join(pieces)


async def _chunks(coded: bytes) -> AsyncIterator[bytes]:
    while coded:
        size, _, coded = coded.partition(b"\r\n")
        yield coded[: int(size, 16)]
        coded = coded[int(size, 16) + 2 :]


@pytest.mark.parametrize("surface", ASKS)
async def test_a_compressed_answer_is_read(surface: str) -> None:
    body = gzip.compress(json.dumps(ANSWER).encode())
    reply, told = await ask(playing("200 OK", "application/json", "gzip", body), surface)
    assert reply.startswith(b"HTTP/1.1 200")
    assert b"content-encoding" not in reply.lower()
    assert b'"hello"' in told


async def test_a_compressed_stream_is_read() -> None:
    play = playing("200 OK", "text/event-stream", "gzip", gzip.compress(DELTAS))
    reply, told = await ask(play, "openai", stream=True)
    assert b"content-encoding" not in reply.lower()
    assert told == DELTAS


@pytest.mark.parametrize("surface", ASKS)
async def test_the_reason_of_a_compressed_error_is_read(surface: str) -> None:
    error = {"error": {"message": REASON, "type": "invalid_request_error", "code": None}}
    play = playing(
        "400 Bad Request", "application/json", "gzip", gzip.compress(json.dumps(error).encode())
    )
    reply, told = await ask(play, surface)
    assert reply.startswith(b"HTTP/1.1 400")
    assert b"content-encoding" not in reply.lower()
    assert REASON.encode() in told


@pytest.mark.parametrize("surface", ASKS)
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
async def test_what_cannot_be_read_is_refused_with_the_reason(surface: str, coding: str) -> None:
    play = playing("200 OK", "application/json", coding, b"\x8b\x00\x80binary")
    reply, told = await ask(play, surface)
    assert reply.startswith(b"HTTP/1.1 5")
    message = json.loads(told)["error"]["message"]
    assert f"compressed its reply ({coding})" in message
    assert message.startswith("node ")
    play = playing("400 Bad Request", "application/json", coding, b"\x8b\x00\x80binary")
    reply, told = await ask(play, surface)
    assert reply.startswith(b"HTTP/1.1 400")
    assert b"binary" not in told
    assert json.loads(told)["error"]["message"]


@pytest.mark.parametrize("surface", ASKS)
async def test_a_compressed_answer_that_is_cut_is_none(surface: str) -> None:
    body = gzip.compress(json.dumps(ANSWER).encode())[:-6]
    play = playing("200 OK", "application/json", "gzip", body)
    reply, told = await ask(play, surface)
    # Relayed as it comes, it has begun: then the connection ends without the last chunk.
    assert reply.startswith(b"HTTP/1.1 200")
    assert not told.endswith(b"0\r\n\r\n")
    if surface == "openai":
        return
    reply, told = await ask(play, surface, speaks="[openai]")
    assert reply.startswith(b"HTTP/1.1 5")
    assert json.loads(told)["error"]["message"]
