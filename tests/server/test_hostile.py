"""Hostile and broken requests: a clear error or a closed connection, and the next one works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.raw_peer import PeerGone
from tests.server.gateways import Stage, chat, staged

BODY = b'{"contents":[]}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def play(connection: NodeConnection) -> None:
    while True:
        await connection.request()
        await connection.send(REPLY)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged(play, server=", max_body: 100KB, body_timeout: 200ms") as stage:
        yield stage


def post(target: bytes, body: bytes = BODY, headers: bytes = b"") -> bytes:
    return (
        b"POST %b HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n"
        % (target, headers, len(body))
        + body
    )


async def send(stage: Stage, wire: bytes) -> tuple[int, bytes] | None:
    """The reply to ``wire``; None if the connection was closed without one."""
    client = await stage.connect()
    client.write(wire)
    try:
        head = await client.head()
    except PeerGone:
        return None
    body = (await client.reply()).body
    assert "access-control-allow-origin" not in head.fields
    assert head.fields["x-request-id"]
    return head.status, body


async def works(stage: Stage) -> bool:
    return await send(stage, chat(stream=False)) == (200, b"{}")


GEMINI = b"/v1beta/models/m:generateContent"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/v1beta/models/../m:generateContent", 400),
        (b"/v1beta/models/%2e%2e/m:generateContent", 400),
        (b"/v1beta/models/.%2E/m:generateContent", 400),
        (b"/v1beta/models/..%2fm:generateContent", 400),
        (b"/v1beta/models/..%5cm:generateContent", 400),
        (b"/proxy/../admin/x:generateContent", 400),
        (b"/v1beta/models/m%00:generateContent", 400),
        (b"/v1beta/models/m%0d%0aX: y:generateContent", 400),
        (b"/v1beta/models/m%0d%0aX:y:generateContent", 400),
        (b"/v1beta/models/m%ff:generateContent", 400),
        (b"/v1beta/models/m\xff:generateContent", 400),
        (b"/v1beta/models/m:dance", 400),
        (b"/nothing/here", 404),
        (b"*", 400),
        (b"/" + b"a/" * 4000, 404),
        (b"/" + b"a/" * 5000, 414),
        (GEMINI + b"?" + b"%61&" * 300, 400),
    ],
)
async def test_paths(stage: Stage, target: bytes, status: int) -> None:
    reply = await send(stage, post(target))
    assert reply is not None
    assert reply[0] == status, reply
    assert json.loads(reply[1])["error"]["message"]
    assert await works(stage)
    assert all(b"admin" not in connection.received for connection in stage.connections)


@pytest.mark.parametrize(
    ("target", "body", "status", "named"),
    [
        (GEMINI, b"", 400, "empty"),
        (GEMINI, b"{", 400, "JSON"),
        (GEMINI, b'{"a": \xff}', 400, "UTF-8"),
        (GEMINI, b"[]", 400, "object"),
        (GEMINI, b"[" * 50_000, 400, "JSON"),
        (GEMINI, b'{"stream": true}', 400, "streamGenerateContent"),
        (GEMINI, b'{"a": NaN}', 400, "JSON"),
        (b"/v1/chat/completions", b"{}", 400, "model"),
        (b"/v1/chat/completions", b'{"model": 5}', 400, "model"),
        (b"/v1/chat/completions", b'{"model": "m", "stream": "yes"}', 400, "stream"),
        (b"/v1/chat/completions", b'{"model": "\\ud800"}', 400, ""),
        (b"/v1/chat/completions", b'{"model": "nope"}', 404, "nope"),
        (b"/v1/messages", b'{"model": "m"}', 400, "anthropic-version"),
        (GEMINI, b'{"a": "' + b"x" * 110_000 + b'"}', 413, "max_body"),
    ],
)
async def test_bodies(stage: Stage, target: bytes, body: bytes, status: int, named: str) -> None:
    reply = await send(stage, post(target, body))
    assert reply is not None
    assert reply[0] == status, reply
    assert named in json.loads(reply[1])["error"]["message"]
    assert stage.connections == []
    assert await works(stage)


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"OPTIONS /v1/messages HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n", 405),
        (b"GET /v1/messages HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"DELETE /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"PUT /v1beta/models/m:generateContent HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"CONNECT example.com:443 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 408),
        (b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nX\r\n", 400),
        (b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 50_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS\r\n\r\n", 400),
    ],
)
async def test_messages(stage: Stage, wire: bytes, status: int) -> None:
    reply = await send(stage, wire)
    assert reply is not None
    assert reply[0] == status, reply
    assert await works(stage)


async def test_a_head_request_is_answered_without_a_body(stage: Stage) -> None:
    client = await stage.connect()
    client.write(b"HEAD /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head = await client.head()
    assert head.status == 200
    assert int(head.fields["content-length"]) > 0
    assert await client.rest() == b""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_any_bytes(garbage: bytes) -> None:
    async def attack() -> None:
        async with staged(play, server=", header_timeout: 50ms, body_timeout: 50ms") as stage:
            client = await stage.connect()
            client.write(garbage)
            client.half_close()
            await client.rest()
            client = await stage.connect()
            client.write(b"POST " + garbage)
            client.half_close()
            await client.rest()
            assert await works(stage)
            assert stage.in_flight() == 0

    asyncio.run(attack())
