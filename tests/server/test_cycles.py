"""An exchange leaves nothing to the garbage collector, however it ends: the daemon has told the
collector to come rarely (`daemon.run`)."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from e2e.relaying import STREAMS, UNARY, asking, relay

from tests.fixtures.raw_client import RawClient, connect
from tests.fixtures.raw_node import NodeConnection, RawNode

End = Callable[[RawClient, NodeConnection], Awaitable[None]]
Kind = tuple[str, dict[str, Any]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = (
    b'51\r\ndata: {"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}\n\n\r\n'
)
END = (
    b'4f\r\ndata: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":'
    b'"stop"}]}\n\n\r\n0\r\n\r\n'
)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def _whole_stream(client: RawClient, node: NodeConnection) -> None:
    await node.send(HEAD + EVENT + END)
    assert (await client.reply()).complete


async def _reply(client: RawClient, node: NodeConnection) -> None:
    await node.send(WHOLE)
    assert (await client.reply()).complete


async def _client_leaves_a_stream(client: RawClient, node: NodeConnection) -> None:
    await node.send(HEAD + EVENT)
    await client.until_received(b"data:")
    client.close()
    await node.until_gone()


async def _client_resets_a_stream(client: RawClient, node: NodeConnection) -> None:
    await node.send(HEAD + EVENT)
    await client.until_received(b"data:")
    client.reset()
    await node.until_gone()


async def _client_leaves_unanswered(client: RawClient, node: NodeConnection) -> None:
    client.close()
    await node.until_gone()


async def _node_breaks_a_stream(client: RawClient, node: NodeConnection) -> None:
    await node.send(HEAD + EVENT)
    await client.until_received(b"data:")
    node.reset()
    await client.until_gone()


async def _node_refuses(client: RawClient, node: NodeConnection) -> None:
    await node.send(WHOLE.replace(b"200 OK", b"400 No"))
    assert (await client.reply()).complete


ENDS = [
    (_whole_stream, STREAMS), (_reply, UNARY), (_client_leaves_a_stream, STREAMS),
    (_client_resets_a_stream, STREAMS), (_client_leaves_unanswered, STREAMS),
    (_client_leaves_unanswered, UNARY), (_node_breaks_a_stream, STREAMS), (_node_refuses, UNARY),
]  # fmt: skip


#: With something in it, so that it can be transposed.
BODY = {"contents": [{"role": "user", "parts": [{"text": "Speak."}]}]}


@contextmanager
def collecting() -> Iterator[list[object]]:
    """What only the collector could have freed, told at the block's end."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def _exchange(url: str, node: RawNode, kind: Kind, end: End) -> None:
    async with connect(url) as client:
        client.write(asking(kind))
        kept = [one for one in node.connections if not one.gone.done()]
        connection = kept[-1] if kept else await node.connection()
        await connection.request()
        await end(client, connection)
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("surface", ["openai", "gemini"])
@pytest.mark.parametrize(("end", "kinds"), ENDS)
async def test_nothing_is_left_to_collect(end: End, kinds: dict[str, Kind], surface: str) -> None:
    """Relayed as it is, and transposed."""
    async with relay(speaks=["openai"]) as (gateway, node):
        target, body = kinds[surface]
        kind = target, {**body, **(BODY if surface == "gemini" else {})}
        await _exchange(gateway.url, node, kind, end)
        with collecting() as found:
            for _ in range(3):
                await _exchange(gateway.url, node, kind, end)
    ours = [one for one in found if type(one).__module__.startswith("casedesk_proxy")]
    assert not ours, Counter(type(one).__qualname__ for one in found)
