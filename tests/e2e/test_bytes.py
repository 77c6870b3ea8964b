"""A client receives exactly what the node sent, and a node exactly what the client sent, with any
framing and any split of reads and writes."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import ask, connect, request

LOOKALIKES = [b"0\r\n\r\n", b"\r\n0\r\n\r\n", b"\r\n", b"5\r\nhello\r\n", b"HTTP/1.1 200 OK\r\n"]
pieces_of_bodies = st.one_of(st.binary(max_size=300), st.sampled_from(LOOKALIKES))
#: No comments alone, and no end inside an event: a stream with these is no answer, and told to be
#: broken.
bodies = st.lists(pieces_of_bodies).map(lambda pieces: b"x%b\n\n" % b"".join(pieces))
extensions = st.sampled_from([b"", b";a", b";a=b", b' ; x="y;z"'])
trailers = st.sampled_from([b"", b"X-End: 1\r\n", b"A: b\r\nC: d\r\n"])
sizes = st.lists(st.integers(1, 80), min_size=1)
more = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def cut(data: bytes, lengths: list[int]) -> list[bytes]:
    """``data`` in pieces of these lengths, which are used repeatedly."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + lengths[turn % len(lengths)]])
        at += len(pieces[-1])
        turn += 1
    return pieces


def chunks_of(body: bytes, lengths: list[int], extension: bytes, trailer: bytes) -> list[bytes]:
    made = [b"%x%s\r\n%s\r\n" % (len(one), extension, one) for one in cut(body, lengths)]
    return [*made, b"0" + extension + b"\r\n" + trailer + b"\r\n"]


def chunked(body: bytes, lengths: list[int], extension: bytes, trailer: bytes) -> bytes:
    return b"".join(chunks_of(body, lengths, extension, trailer))


#: What a node says of its stream: an array is no events.
KINDS = {"array": b"application/json"}
EVENTS = b"text/event-stream"


def head(*lines: bytes, kind: bytes = EVENTS) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Type: " + kind, *lines, b"", b""])


@more
@given(body=bodies, chunks=sizes, writes=sizes, extension=extensions, trailer=trailers,
       surface=st.sampled_from(sorted(STREAMS)))  # fmt: skip
async def test_chunked_replies(
    body: bytes,
    chunks: list[int],
    writes: list[int],
    extension: bytes,
    trailer: bytes,
    surface: str,
) -> None:
    if surface == "array":
        body = b"[%b]" % body
    wire = head(b"Transfer-Encoding: chunked", kind=KINDS.get(surface, EVENTS))
    wire += chunked(body, chunks, extension, trailer)
    async with relay() as (gateway, node), connect(gateway.url) as client:
        for _ in range(2):
            client.write(asking(STREAMS[surface]))
            connection = node.connections[0] if node.connections else await node.connection()
            await connection.request()
            await connection.send(*cut(wire, writes))
            reply = await client.reply()
            assert reply.complete
            assert reply.body == body
        assert len(node.connections) == 1, "the connection was fit for a second request"


@more
@given(body=bodies, writes=sizes, surface=st.sampled_from(sorted(UNARY)))
async def test_replies_of_known_length(body: bytes, writes: list[int], surface: str) -> None:
    wire = head(b"Content-Length: %d" % len(body), kind=b"application/json") + body
    async with relay() as (gateway, node), connect(gateway.url) as client:
        for _ in range(2):
            client.write(asking(UNARY[surface]))
            connection = node.connections[0] if node.connections else await node.connection()
            await connection.request()
            await connection.send(*cut(wire, writes))
            reply = await client.reply()
            assert reply.complete
            assert reply.body == body
            assert reply.value("content-length") == b"%d" % len(body)


@more
@given(body=bodies, writes=sizes)
async def test_replies_that_end_with_their_connection(body: bytes, writes: list[int]) -> None:
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(UNARY["openai"]))
        connection = await node.connection()
        await connection.request()
        await connection.send(*cut(head(b"Connection: close", kind=b"text/plain") + body, writes))
        connection.close()
        reply = await client.reply()
    assert reply.complete
    assert reply.body == body


@more
@given(body=bodies, chunks=sizes, odd=st.sets(st.integers(0, 20)), extension=extensions)
async def test_a_chunk_a_read_as_nodes_stream(
    body: bytes, chunks: list[int], odd: set[int], extension: bytes
) -> None:
    """The usual case, with some reads that contain two chunks or half of one."""
    pieces = chunks_of(body, chunks, extension, b"")
    writes: list[bytes] = []
    for number, piece in enumerate(pieces):
        if number in odd and writes and number % 2:
            writes[-1] += piece
        elif number in odd:
            writes += [piece[:1], piece[1:]]
        else:
            writes.append(piece)
    async with relay() as (gateway, node), connect(gateway.url) as client:
        for _ in range(2):
            client.write(asking(STREAMS["openai"]))
            connection = node.connections[0] if node.connections else await node.connection()
            await connection.request()
            await connection.send(head(b"Transfer-Encoding: chunked"), *writes)
            reply = await client.reply()
            assert reply.complete
            assert reply.body == body


async def test_a_read_that_only_looks_like_a_chunk() -> None:
    """A chunk's data contain, in one read, bytes that look like a chunk or like the last chunk."""
    inner = [b"5\r\nhello\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n"]
    whole = b"first" + b"".join(inner)
    async with relay() as (gateway, node), connect(gateway.url) as client:
        for _ in range(2):
            client.write(asking(STREAMS["openai"]))
            connection = node.connections[0] if node.connections else await node.connection()
            await connection.request()
            await connection.send(head(b"Transfer-Encoding: chunked"))
            for piece in (b"5\r\nfirst\r\n", b"%x\r\n" % (len(whole) - 5), *inner):
                await connection.send(piece)
                await client.until_received(piece)
            await connection.send(b"\r\n0\r\n\r\n")
            reply = await client.reply()
            assert reply.complete
            assert reply.body == whole
        assert len(node.connections) == 1


SURPLUS = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_what_follows_a_reply_is_no_reply_to_the_next(framing: str, together: bool) -> None:
    """A node sends more than its reply: no client gets the rest, and the connection is dropped."""
    lines = b"Content-Length: 4" if framing == "length" else b"Transfer-Encoding: chunked"
    body = b"mine" if framing == "length" else b"4\r\nmine\r\n0\r\n\r\n"
    begin = head(lines, kind=b"text/plain")
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(UNARY["openai"]))
        first = await node.connection()
        await first.request()
        await first.send(*([begin + body + SURPLUS] if together else [begin, body]))
        assert (await client.reply()).body == b"mine"
        if not together:
            first.write(SURPLUS)
            await first.until_gone()
        client.write(asking(UNARY["openai"]))
        second = await node.connection()
        await second.request()
        await second.send(begin + body.replace(b"mine", b"next"))
        assert (await client.reply()).body == b"next"
        assert b"another" not in client.received


@pytest.mark.parametrize("size", [1, 2, 65536, 1_000_003, 5_000_000])
@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_large_bodies(size: int, framing: str) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size] + b"\n\n"
    if framing == "chunked":
        wire = head(b"Transfer-Encoding: chunked") + chunked(body, [65536, 1, 70001], b"", b"")
    else:
        wire = head(b"Content-Length: %d" % len(body)) + body
    async with relay(wire) as (gateway, _):
        reply = await ask(gateway.url, asking(STREAMS["openai"]))
    assert reply.complete
    assert reply.body == body


async def test_byte_by_byte() -> None:
    """Each read has one byte; the node sends the next when the proxy has processed it."""
    body = b"".join(LOOKALIKES) + 'data: {"x": "😀"}\n\n'.encode()
    wire = head(b"Transfer-Encoding: chunked") + chunked(body, [3], b";e=1", b"T: 1\r\n")
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS["openai"]))
        connection = await node.connection()
        await connection.request()
        for place in range(len(wire)):
            await connection.send(wire[place : place + 1])
            await asyncio.sleep(0)
        reply = await client.reply()
    assert reply.complete
    assert reply.body == body


@pytest.mark.parametrize("surface", sorted(STREAMS))
async def test_a_slow_reader_slows_its_node_and_loses_nothing(surface: str) -> None:
    piece = b"x" * 65536
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS[surface]))
        connection = await node.connection()
        await connection.request()
        await connection.send(head(b"Transfer-Encoding: chunked", kind=KINDS.get(surface, EVENTS)))
        await client.head()
        client.stop_reading()
        sent = 0
        while not connection.is_clogged:
            connection.write(b"10000\r\n" + piece + b"\r\n")
            sent += len(piece)
            await asyncio.sleep(0)
            assert sent < 200_000_000, "nothing holds the node back"
        client.go_on_reading()
        await connection.send(b"0\r\n\r\n")
        reply = await client.reply()
    assert reply.complete
    assert len(reply.body) == sent


safe = st.text(st.sampled_from("abz09-._~!$'()*,;:@/?%3D="), max_size=12).filter(
    lambda text: "%" not in text or text.count("%") == text.count("%3D")
)
names = st.one_of(safe.map(lambda text: text.replace("=", "")),
                  st.sampled_from(["key", "%6Bey", "k%65y", "keys", "alt", "Key"]))  # fmt: skip
pairs = st.one_of(names, st.tuples(names, safe).map("=".join))
goog = st.lists(
    st.tuples(
        st.sampled_from(["x-goog-user-project", "X-Goog-Api-Client", "x-goog-a", "X-GOOG-B"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20),
    ),
    max_size=5,
)


def is_credential(pair: str) -> bool:
    name, equals, _ = pair.partition("=")
    return bool(equals) and unquote(name) == "key"


@more
@given(query=st.lists(pairs, max_size=6), headers=goog, body=st.binary(max_size=100))
async def test_requests_lose_only_the_credential(
    query: list[str], headers: list[tuple[str, str]], body: bytes
) -> None:
    asked = "&".join(query)
    kept = "&".join(pair for pair in asked.split("&") if not is_credential(pair))
    mark = f"?{asked}" if asked else ""
    data: dict[str, Any] = {"contents": [{"parts": [{"text": body.decode("latin-1")}]}]}
    wanted = request(
        f"/proxy/d/gemini/v1beta/models/m:generateContent{mark}",
        data,
        *(f"{name}: {value}" for name, value in headers),
        "x-goog-api-key: secret",
        "Cookie: a=b",
        "X-Conversation-Id: 7",
    )
    async with relay(head(b"Content-Length: 2", kind=b"application/json") + b"{}") as (
        gateway,
        node,
    ):
        reply = await ask(gateway.url, wanted)
        assert reply.body == b"{}"
        (sent,) = node.requests
        port = node.port
    assert sent.target == "/v1beta/models/m:generateContent" + (f"?{kept}" if kept else "")
    assert [
        (name.decode().lower(), value.decode())
        for name, value in sent.headers
        if name.lower().startswith(b"x-goog-")
    ] == [(name.lower(), value) for name, value in headers]
    assert sent.body == wanted.partition(b"\r\n\r\n")[2]
    assert sent.values("host") == [b"127.0.0.1:%d" % port]
    assert sent.values("accept-encoding") == [b"identity"]
    assert not sent.values("cookie") + sent.values("x-conversation-id")
