"""Clients of HTTP/1.0, such as nginx with its defaults: for them the connection's end is the
reply's end, so a broken reply must end with an error in words or with a reset."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import connect, request
from tests.fixtures.raw_peer import Parting

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
SSE, JSON = HEAD % b"text/event-stream", HEAD % b"application/json"
EVENT = b'data: {"n": 1}\n\n'
SAYS = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'


Kind = tuple[str, dict[str, Any]]


def old(wire: bytes) -> bytes:
    return wire.replace(b"HTTP/1.1", b"HTTP/1.0", 1)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def cut(
    kind: Kind, *sent: bytes, how: str = "close", **node: Any
) -> tuple[bytes, Parting | None]:
    """What a client of HTTP/1.0 gets of a reply whose node leaves after ``sent``."""
    async with relay(**node) as (gateway, behind), connect(gateway.url) as client:
        client.write(old(asking(kind)))
        connection = await behind.connection()
        await connection.request()
        for piece in sent:
            await connection.send(piece)
        if how == "reset":
            connection.reset()
        else:
            connection.close()
        await asyncio.wait_for(client.until_gone(), 10)
        return bytes(client.received).partition(b"\r\n\r\n")[2], client.parting


#: Where an event may be cut: in a word, in a number, before its blank line, inside of that.
CUTS = [b"da", b"data: {", b'data: {"n": 2}', b'data: {"n": 2}\n', b"data: 1\r\n\r", b": note"]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("half", CUTS)
@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_a_cut_event_is_ended_and_the_error_told(surface: str, half: bytes, how: str) -> None:
    body, parting = await cut(STREAMS[surface], SSE + chunk(EVENT + half), how=how)
    assert parting is Parting.FIN, "a reset would overtake the error"
    events = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")
    assert events[0] + b"\n\n" == EVENT
    assert events[-1] == b""
    told = events[-2].strip().rpartition(b"data: ")[2]
    assert json.loads(told)["error"]["message"]
    assert (b"event: error" in events[-2]) is (surface == "anthropic")


async def test_a_chunk_that_lacks_its_end_is_no_obstacle() -> None:
    body, _ = await cut(STREAMS["openai"], SSE + b"100\r\n" + EVENT)
    assert body.startswith(EVENT + b'data: {"error"')


TALK = {
    "gemini": (STREAMS["gemini"][0], {"contents": [{"parts": [{"text": "x"}]}]}),
    "anthropic": (
        STREAMS["anthropic"][0],
        STREAMS["anthropic"][1] | {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
    ),
}


@pytest.mark.parametrize("surface", TALK)
async def test_a_translated_stream_tells_the_error(surface: str) -> None:
    body, parting = await cut(TALK[surface], SSE + chunk(SAYS), speaks=["openai"])
    assert parting is Parting.FIN
    assert b'"error"' in body.splitlines()[-2]


async def test_an_array_is_reset_inside_an_element() -> None:
    _, parting = await cut(STREAMS["array"], JSON + chunk(b'[{"n": 1},{"n'))
    assert parting is Parting.RST


async def test_an_array_tells_the_error_between_elements() -> None:
    body, parting = await cut(STREAMS["array"], JSON + chunk(b'[{"n": 1}'))
    assert parting is Parting.FIN
    assert "error" in json.loads(body + b"]")[-1]


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_a_body_of_unknown_length_is_reset(surface: str) -> None:
    _, parting = await cut(UNARY[surface], JSON + chunk(b'{"text": "all of it"}'))
    assert parting is Parting.RST


async def test_a_body_of_known_length_needs_no_reset() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    _, parting = await cut(UNARY["openai"], head + b"{}")
    assert parting is Parting.FIN


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = (
    WHOLE.replace(b"200 OK", b"404 No").replace(b": 2", b": 23")[:-2] + b'{"error":{"message":1}}'
)
SAID = (
    b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
)
ANSWERED = WHOLE[:-2].replace(b": 2", b": %d" % len(SAID)) + SAID
GENERATE = (UNARY["gemini"][0], TALK["gemini"][1])


@pytest.mark.parametrize(
    ("kind", "told", "node"),
    [
        (UNARY["openai"], WHOLE, {}),
        (UNARY["openai"], REFUSED, {}),
        (GENERATE, ANSWERED, {"speaks": ["openai"]}),
        (("/v1/nowhere", None), b"", {}),
        (("/proxy/d/openai/v1/models", None), b"", {}),
    ],
    ids=["whole", "refused", "translated", "our own", "a list"],
)
async def test_a_connection_stays_for_those_who_ask(
    kind: Kind, told: bytes, node: dict[str, Any]
) -> None:
    """`ab -k` and other clients wait for the connection's end unless a header says that it stays
    open."""
    async with relay(told, **node) as (gateway, _), connect(gateway.url) as client:
        for _ in range(2):
            wire = request(*kind, "anthropic-version: x", "Connection: Keep-Alive")
            reply = await client.ask(old(wire))
            assert reply.complete
            assert reply.value("content-length") is not None
            assert reply.value("connection") == b"keep-alive"
        reply = await client.ask(old(request(*kind, "anthropic-version: x")))
        assert reply.value("connection") == b"close"
        await asyncio.wait_for(client.until_gone(), 10)
