"""A client that leaves releases its node at once, in every phase; a node that leaves is
reported."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.patience import AT_ONCE_S
from tests.fixtures.raw_client import connect
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.raw_peer import Parting

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"n": 1}\n\n'
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
LONG = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"

#: What the node has sent when the client leaves.
PHASES = {
    "before the head": (STREAMS["openai"], b""),
    "inside the head": (STREAMS["openai"], HEAD[:20]),
    "behind the head": (STREAMS["gemini"], HEAD),
    "between events": (STREAMS["anthropic"], HEAD + CHUNK),
    "inside an event": (STREAMS["array"], HEAD + CHUNK + b"100\r\nhalf"),
    "before a body": (UNARY["openai"], b""),
    "inside a body": (UNARY["gemini"], LONG),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("phase", PHASES)
async def test_the_node_is_freed_when_its_client_leaves(phase: str, how: str) -> None:
    kind, sent = PHASES[phase]
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(kind))
        connection = await node.connection()
        await connection.request()
        await connection.send(sent)
        if b"\r\n\r\n" in sent:
            await client.head()
        getattr(client, how)()
        await asyncio.wait_for(connection.until_gone(), AT_ONCE_S)


async def test_a_client_that_half_closes_has_left() -> None:
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS["openai"]))
        connection = await node.connection()
        await connection.request()
        await connection.send(HEAD + CHUNK)
        await client.until_received(EVENT)
        client.half_close()
        await asyncio.wait_for(connection.until_gone(), 10)


async def depart(connection: NodeConnection, how: str) -> None:
    connection.reset() if how == "reset" else connection.close()
    await connection.until_gone()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("surface", ["gemini", "array", "anthropic", "openai"])
async def test_a_node_that_leaves_between_events(surface: str, how: str) -> None:
    """The client gets its protocol's error, with the key ``error`` first, and the message has no
    proper end."""
    element, head = EVENT, HEAD
    if surface == "array":
        element, head = b'[{"n": 1}', HEAD.replace(b"text/event-stream", b"application/json")
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS[surface]))
        connection = await node.connection()
        await connection.request()
        await connection.send(head + b"%x\r\n%s\r\n" % (len(element), element))
        await client.until_received(element)
        await depart(connection, how)
        reply = await client.reply()
    assert not reply.complete
    assert client.parting is Parting.FIN, "a reset would overtake the error"
    rest = reply.body.removeprefix(element).decode()
    if surface == "anthropic":
        name, _, rest = rest.partition("\n")
        assert name == "event: error"
    told = rest.strip().lstrip(",").strip() if surface == "array" else rest.strip()[6:]
    assert json.loads(told)["error"]["message"]
    assert surface == "anthropic" or told.startswith('{"error"')
    assert "]" not in rest.replace(told, "")


async def test_a_slow_reader_still_gets_all_that_was_sent_and_the_error() -> None:
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS["openai"]))
        connection = await node.connection()
        await connection.request()
        await connection.send(HEAD)
        await client.head()
        client.stop_reading()
        piece, sent = b"data: " + b"x" * 65528 + b"\n\n", 0
        while not connection.is_clogged:
            connection.write(b"10000\r\n" + piece + b"\r\n")
            sent += len(piece)
            await asyncio.sleep(0)
        connection.close()
        client.go_on_reading()
        reply = await asyncio.wait_for(client.reply(), 30)
    assert not reply.complete
    assert reply.body[:sent] == piece * (sent // len(piece))
    assert reply.body[sent:].startswith(b'data: {"error"')


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_a_node_that_leaves_inside_an_event(surface: str) -> None:
    half = b'data: {"n'
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS[surface]))
        connection = await node.connection()
        await connection.request()
        await connection.send(HEAD + b"%x\r\n%s\r\n" % (len(half), half))
        await client.until_received(half)
        await depart(connection, "close")
        reply = await client.reply()
    assert not reply.complete
    assert reply.body == half


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_a_node_that_leaves_without_a_word(surface: str, how: str) -> None:
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(UNARY[surface]))
        connection = await node.connection()
        await connection.request()
        await depart(connection, how)
        reply = await asyncio.wait_for(client.reply(), 10)
    assert reply.status in (500, 502)
    assert json.loads(reply.body)["error"]["message"]
    assert str(node.port) not in reply.body.decode()


async def test_a_node_that_leaves_inside_a_body() -> None:
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(UNARY["openai"]))
        connection = await node.connection()
        await connection.request()
        await connection.send(LONG)
        await client.until_received(b"{")
        await depart(connection, "close")
        reply = await client.reply()
    assert not reply.complete
    assert reply.body == b"{"


async def test_a_stale_connection_is_replaced_once() -> None:
    """A node closes an idle connection at the moment when the next request is sent on it."""
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with relay() as (gateway, node), connect(gateway.url) as client:
        client.write(asking(UNARY["openai"]))
        first = await node.connection()
        await first.request()
        await first.send(wire)
        await client.reply()
        client.write(asking(UNARY["openai"]))
        await first.request()
        first.close()
        second = await node.connection()
        await second.request()
        await second.send(wire)
        assert (await client.reply()).status == 200
