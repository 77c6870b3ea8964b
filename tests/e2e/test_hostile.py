"""Hostile clients and invalid nodes: a clear error or a closed connection, and the service
continues."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.wire.chunked import frame_chunk
from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.raw_node import Step

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TARGET, BODY = UNARY["openai"]
POST = f"POST {TARGET} HTTP/1.1\r\nHost: x\r\n".encode()
JSON = json.dumps(BODY).encode()
LENGTH = b"Content-Length: %d\r\n" % len(JSON)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CONTENTS: dict[str, dict[str, Any]] = {
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
    "anthropic": {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
    "openai": {"messages": [{"role": "user", "content": "x"}]},
}

HOSTILE = {
    "no http at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a lone word": b"HELLO\r\n\r\n",
    "http 0.9": b"GET /v1/models\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an endless request line": b"GET /" + b"a" * 2_000_000,
    "an endless header": POST + b"X: " + b"a" * 2_000_000,
    "many headers": POST + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n",
    "nul in the path": b"GET /v1/\x00models HTTP/1.1\r\nHost: x\r\n\r\n",
    "controls in the path": b"GET /v1/\x01\x1bmodels HTTP/1.1\r\nHost: x\r\n\r\n",
    "latin-1 in the path": b"GET /v1/\xe9\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank in the path": b"GET /v1/mo dels HTTP/1.1\r\nHost: x\r\n\r\n",
    "nul in a header": POST + b"X: a\x00b\r\n" + LENGTH + b"\r\n" + JSON,
    "a header without a colon": POST + b"nonsense\r\n\r\n",
    "a blank before the colon": POST + b"Content-Length : 5\r\n\r\n12345",
    "a folded header": POST + b"X: a\r\n b\r\n" + LENGTH + b"\r\n" + JSON,
    "two lengths": POST + LENGTH + b"Content-Length: 5\r\n\r\n" + JSON,
    "length and chunked": POST + LENGTH + CHUNKED + b"\r\n0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -5\r\n\r\n",
    "a signed length": POST + b"Content-Length: +5\r\n\r\n12345",
    "a length in hex": POST + b"Content-Length: 0x10\r\n\r\n" + b"a" * 16,
    "a list of lengths": POST + b"Content-Length: 5, 6\r\n\r\n123456",
    "an unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\nxxxx",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a chunk size of no number": POST + CHUNKED + b"\r\nzz\r\nabc\r\n",
    "a chunk size too large": POST + CHUNKED + b"\r\n" + b"f" * 40 + b"\r\n",
    "a negative chunk": POST + CHUNKED + b"\r\n-1\r\nabc\r\n",
    "no line end behind a chunk": POST + CHUNKED + b"\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "an endless chunk extension": POST + CHUNKED + b"\r\n3;" + b"x" * 200_000,
    "a body beyond the limit": POST + b"Content-Length: 99999999999\r\n\r\n" + JSON,
    "chunks beyond the limit": POST + CHUNKED + b"\r\n" + b"10000\r\n" + b"a" * 65536 + b"\r\n",
    "dots": b"GET /proxy/d/openai/v1/../../../admin HTTP/1.1\r\nHost: x\r\n\r\n",
    "encoded dots": b"GET /proxy/d/openai/%2e%2e/%2E./x HTTP/1.1\r\nHost: x\r\n\r\n",
    "dots behind an encoded slash": b"GET /v1/models/..%2f..%2fx HTTP/1.1\r\nHost: x\r\n\r\n",
    "dots behind a backslash": b"GET /v1/models/..\\..\\x HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad utf-8 in json": POST + b'Content-Length: 6\r\n\r\n{"\xff":1',
    "deep json": POST + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000,
    "json of another type": POST + b"Content-Length: 2\r\n\r\n[]",
    "a number for a model": POST + b'Content-Length: 11\r\n\r\n{"model":1}',
    "a text for a switch": POST + b'Content-Length: 28\r\n\r\n{"model":"m","stream":"yes"}',
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_requests(name: str) -> None:
    server = {"max_body": "60KiB", "header_timeout": "1s", "body_timeout": "1s"}
    async with relay(GOOD, server=server) as (gateway, node):
        async with connect(gateway.url) as client:
            client.write(HOSTILE[name])
            answer = await asyncio.wait_for(client.reply(), 20)
        assert 400 <= answer.status < 500, answer.body
        assert answer.complete
        assert json.loads(answer.body)["error"]
        assert node.connections == [], "it reached the node"
        fresh = await ask(gateway.url, asking(UNARY["openai"]))
        assert fresh.status == 200


@pytest.mark.parametrize(
    "sent",
    [b"POST ", POST, POST + LENGTH + b"\r\n" + JSON[:3]],
    ids=["line", "head", "body"],
)
async def test_slow_requests_are_given_up(sent: bytes) -> None:
    server = {"header_timeout": "200ms", "body_timeout": "200ms"}
    async with relay(GOOD, server=server) as (gateway, _), connect(gateway.url) as client:
        client.write(sent)
        reply = await asyncio.wait_for(client.reply(), 10)
        assert reply.status == 408
        await asyncio.wait_for(client.until_gone(), 10)


async def test_a_client_that_only_connects_is_closed_in_the_end() -> None:
    server = {"keepalive_timeout": "200ms"}
    async with relay(GOOD, server=server) as (gateway, _), connect(gateway.url) as client:
        await asyncio.wait_for(client.until_gone(), 10)
        assert client.received == b""


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_requests_may_come_in_any_pieces(size: int) -> None:
    data = asking(UNARY["anthropic"])
    async with relay(GOOD) as (gateway, node), connect(gateway.url) as client:
        await client.send(*(data[at : at + size] for at in range(0, len(data), size)))
        assert (await client.reply()).status == 200
        assert node.requests[0].body == data.partition(b"\r\n\r\n")[2]


async def test_chunked_requests_arrive_whole() -> None:
    pieces = [b"%x;e\r\n%s\r\n" % (1, JSON[at : at + 1]) for at in range(len(JSON))]
    data = POST + CHUNKED + b"\r\n" + b"".join(pieces) + b"0\r\nT: 1\r\n\r\n"
    async with relay(GOOD) as (gateway, node):
        assert (await ask(gateway.url, data)).status == 200
        assert node.requests[0].body == JSON


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(UNARY["openai"]) * 3)
        connection = await node.connection()
        for number in range(3):
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            assert (await client.reply()).body == b"%d" % number


MAD = {
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a status of no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length of no number": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
}


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
@pytest.mark.parametrize("name", MAD)
async def test_mad_nodes_are_an_error_of_theirs(name: str, surface: str) -> None:
    steps = [step for step in (MAD[name], Step.CLOSE) if step]
    async with relay(*steps) as (gateway, node):
        reply = await asyncio.wait_for(ask(gateway.url, asking(UNARY[surface])), 20)
    assert reply.status in (500, 502)
    error = json.loads(reply.body)["error"]["message"]
    assert "SSH" not in error
    assert str(node.port) not in error


PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
NO_ANSWERS = {
    "a web page": HTML + b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE,
    "a web page in chunks": HTML + b"Transfer-Encoding: chunked\r\n\r\n%s" % frame_chunk(PAGE),
    "no content": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
    "no content in chunks": HTML.replace(b"text/html", b"application/json")
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("speaks", ["openai", "the client's"])
@pytest.mark.parametrize("kind", ["one reply", "a stream"])
@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
@pytest.mark.parametrize("name", NO_ANSWERS)
async def test_what_is_no_answer_never_looks_like_one(
    name: str, surface: str, kind: str, speaks: str
) -> None:
    target, fields = (UNARY if kind == "one reply" else STREAMS)[surface]
    asked = (target, {**fields, **CONTENTS[surface]})
    protocol = surface if speaks == "the client's" else speaks
    ended: list[ExchangeRecord] = []
    async with relay(NO_ANSWERS[name], speaks=[protocol], sinks=[ended.append]) as (gateway, _):
        reply = await ask(gateway.url, asking(asked))
    assert reply.status in (500, 502)
    assert (b"web page" in reply.body) is name.startswith("a web page")
    (exchange,) = ended
    assert exchange.terminal in (Terminal.NODE_BROKE, Terminal.NODE_UNAVAILABLE)


EVENTS = (
    b"".join(
        b"data: %s\n\n" % json.dumps(one).encode()
        for one in (
            {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Good day"}}]},
            {
                "id": "c",
                "model": "m",
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
            },
        )
    )
    + b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_events_that_their_server_calls_a_page_are_events(surface: str) -> None:
    """The type that Flask, for one, gives to all for which a program names none."""
    target, fields = STREAMS[surface]
    head = HTML + b"Transfer-Encoding: chunked\r\n\r\n"
    async with relay(head, frame_chunk(EVENTS) + b"0\r\n\r\n", speaks=["openai"]) as (gateway, _):
        reply = await ask(gateway.url, asking((target, {**fields, **CONTENTS[surface]})))
    assert (reply.status, b"Good day" in reply.body) == (200, True)


async def test_a_page_that_comes_behind_its_head_is_refused() -> None:
    head = HTML + b"Transfer-Encoding: chunked\r\n\r\n"
    async with relay() as (gateway, node), connect(gateway.url) as client:
        for target in (UNARY["openai"], STREAMS["openai"]):
            path, fields = target
            client.write(asking((path, {**fields, **CONTENTS["openai"]})))
            connection = await node.connection()
            await connection.request()
            await connection.send(head)
            await asyncio.sleep(0)
            await connection.send(frame_chunk(PAGE) + b"0\r\n\r\n")
            reply = await client.reply()
            assert (reply.status, b"web page" in reply.body) == (502, True)


async def test_lines_that_end_with_lf_alone_are_refused_at_once() -> None:
    async with relay(GOOD.replace(b"\r", b"")) as (gateway, _):
        reply = await ask(gateway.url, asking(UNARY["openai"]))
        assert reply.status == 502
        assert b"LF alone" in reply.body
        reply = await ask(gateway.url, b"GET /v1/models HTTP/1.1\nHost: x\n\n")
        assert reply.status == 400
        assert b"LF alone" in reply.body


@pytest.mark.parametrize("speaks", ["gemini", "anthropic", "openai"])
@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
@pytest.mark.parametrize("status", [400, 401, 422, 500])
async def test_a_node_that_tells_its_key_tells_no_client(
    status: int, surface: str, speaks: str
) -> None:
    key = 'sk-"secret'
    error = {"type": "x", "code": status, "status": "X", "message": f"Incorrect API key: {key}"}
    body = json.dumps({"type": "error", "error": error}).encode()
    head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    async with relay(head % (status, len(body)) + body, speaks=[speaks], key=key) as (
        gateway,
        node,
    ):
        target, fields = UNARY[surface]
        reply = await ask(gateway.url, asking((target, {**fields, **CONTENTS[surface]})))
        if node.requests:
            assert key in str(node.requests[0].headers)
    assert reply.status >= 400
    assert b"secret" not in reply.body


@pytest.mark.parametrize(
    "chunk", [b"zz\r\nabc\r\n", b"3\r\nabcdef", b"-1\r\n", b"f" * 30 + b"\r\n"]
)
async def test_broken_chunks_of_a_node_end_the_stream_as_broken(chunk: bytes) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + CHUNKED + b"\r\n"
    event = b'data: {"n":1}\n\n'
    first = begun + b"%x\r\n%s\r\n" % (len(event), event)
    steps = (first, Step.PAUSE, chunk, Step.WAIT_FOR_CLOSE)
    async with relay(*steps) as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS["openai"]))
        await client.until_received(event)
        node.connections[0].release()
        reply = await asyncio.wait_for(client.reply(), 10)
        await asyncio.wait_for(node.connections[0].until_gone(), 10)
    assert not reply.complete
    assert reply.body.startswith(event)


async def test_a_dead_node_is_told_of() -> None:
    async with relay(GOOD) as (_, node):
        url = node.url
    async with relay(GOOD, url=url) as (gateway, _):
        reply = await ask(gateway.url, request(TARGET, BODY))
    assert reply.status in (502, 503)
    assert url.rpartition(":")[2] not in reply.body.decode()
