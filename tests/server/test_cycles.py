"""An exchange leaves nothing to the garbage collector, however it ends: the daemon lets it examine
only young objects (`daemon.garbage`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import pytest

from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.side_requests import read_answer
from casedesk_proxy.wire.http1 import parse_response_head
from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.garbage import collecting
from tests.fixtures.raw_client import RawClient, ask, connect
from tests.fixtures.raw_node import NodeConnection as Connection
from tests.fixtures.raw_node import RawNode
from tests.server.transports import RecordingTransport

End = Callable[[RawClient, Connection], Awaitable[None]]
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


async def _begin_stream(client: RawClient, node: Connection) -> None:
    await node.send(HEAD + EVENT)
    await client.until_received(b"data:")


async def _whole_stream(client: RawClient, node: Connection) -> None:
    await node.send(HEAD + EVENT + END)
    assert (await client.reply()).complete


async def _reply(client: RawClient, node: Connection) -> None:
    await node.send(WHOLE)
    assert (await client.reply()).complete


async def _client_leaves_a_stream(client: RawClient, node: Connection) -> None:
    await _begin_stream(client, node)
    client.close()
    await node.until_gone()


async def _client_resets_a_stream(client: RawClient, node: Connection) -> None:
    await _begin_stream(client, node)
    client.reset()
    await node.until_gone()


async def _client_leaves_unanswered(client: RawClient, node: Connection) -> None:
    client.close()
    await node.until_gone()


async def _node_breaks_a_stream(client: RawClient, node: Connection) -> None:
    await _begin_stream(client, node)
    node.reset()
    await client.until_gone()


async def _node_resets_unanswered(client: RawClient, node: Connection) -> None:
    node.reset()
    assert (await client.reply()).status >= 500


async def _node_closes_unanswered(client: RawClient, node: Connection) -> None:
    node.close()
    assert (await client.reply()).status >= 500


async def _node_refuses(client: RawClient, node: Connection) -> None:
    await node.send(WHOLE.replace(b"200 OK", b"400 No"))
    assert (await client.reply()).complete


async def _node_sends_a_page(client: RawClient, node: Connection) -> None:
    page = WHOLE.replace(b"application/json", b"text/html")
    await node.send(page.replace(b"2\r\n\r\n{}", b"6\r\n\r\n<html>"))
    assert (await client.reply()).status >= 500


async def _node_refuses_the_key(client: RawClient, node: Connection) -> None:
    await node.send(WHOLE.replace(b"200 OK", b"401 No"))
    assert (await client.reply()).status >= 500


async def _node_has_no_model(client: RawClient, node: Connection) -> None:
    error = b'{"error":{"message":"The model `m` does not exist.","code":"model_not_found"}}'
    await node.send(
        WHOLE.replace(b"200 OK", b"404 No").replace(
            b"2\r\n\r\n{}", b"%d\r\n\r\n%b" % (len(error), error)
        )
    )
    assert (await client.reply()).status == 404


async def _node_ends_lines_with_lf(client: RawClient, node: Connection) -> None:
    await node.send(WHOLE.replace(b"\r", b""))
    assert (await client.reply()).status >= 500


async def _node_sends_nothing(client: RawClient, node: Connection) -> None:
    await node.send(WHOLE.replace(b"2\r\n\r\n{}", b"0\r\n\r\n"))
    assert (await client.reply()).status >= 500


async def _node_sends_an_error_as_an_answer(client: RawClient, node: Connection) -> None:
    error = b'{"error":{"message":"no","code":500}}'
    await node.send(WHOLE.replace(b"2\r\n\r\n{}", b"%d\r\n\r\n%b" % (len(error), error)))
    assert (await client.reply()).status >= 500


ENDS = [
    (_whole_stream, STREAMS), (_reply, UNARY), (_client_leaves_a_stream, STREAMS),
    (_client_resets_a_stream, STREAMS), (_client_leaves_unanswered, STREAMS),
    (_client_leaves_unanswered, UNARY), (_node_breaks_a_stream, STREAMS), (_node_refuses, UNARY),
    (_node_resets_unanswered, STREAMS), (_node_resets_unanswered, UNARY),
    (_node_closes_unanswered, STREAMS), (_node_closes_unanswered, UNARY),
    (_node_sends_a_page, STREAMS), (_node_sends_a_page, UNARY), (_node_sends_nothing, STREAMS),
    (_node_sends_nothing, UNARY), (_node_sends_an_error_as_an_answer, STREAMS),
    (_node_sends_an_error_as_an_answer, UNARY), (_node_refuses_the_key, UNARY),
    (_node_has_no_model, UNARY), (_node_ends_lines_with_lf, UNARY),
]  # fmt: skip


#: With something in them, so that they can be translated.
BODIES: dict[str, dict[str, Any]] = {
    "openai": {},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Speak."}]}]},
    "anthropic": {"max_tokens": 9, "messages": [{"role": "user", "content": "Speak."}]},
}


async def _exchange(url: str, node: RawNode, kind: Kind, end: End) -> None:
    async with connect(url) as client:
        client.write(asking(kind))
        kept = [one for one in node.connections if not one.gone.done()]
        connection = kept[-1] if kept else await node.connection()
        await connection.request()
        await end(client, connection)
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("surface", ["openai", "gemini", "anthropic"])
@pytest.mark.parametrize(("end", "kinds"), ENDS)
async def test_nothing_is_left_to_collect(end: End, kinds: dict[str, Kind], surface: str) -> None:
    """The reply is relayed unchanged, and translated."""
    async with relay(speaks=["openai"]) as (gateway, node):
        target, body = kinds[surface]
        kind = target, {**body, **BODIES[surface]}
        await _exchange(gateway.url, node, kind, end)
        with collecting() as found:
            for _ in range(3):
                await _exchange(gateway.url, node, kind, end)
    ours = [one for one in found if type(one).__module__.startswith("casedesk_proxy")]
    assert not ours, Counter(type(one).__qualname__ for one in found)


@pytest.mark.parametrize("surface", ["openai", "gemini", "anthropic"])
async def test_nor_by_a_node_that_is_down(surface: str) -> None:
    target, body = UNARY[surface]
    asked = asking((target, {**body, **BODIES[surface]}))
    async with relay(speaks=["openai"], url="http://127.0.0.1:9") as (gateway, _):
        assert (await ask(gateway.url, asked)).status >= 500
        with collecting() as found:
            for _ in range(3):
                assert (await ask(gateway.url, asked)).status >= 500
    ours = [one for one in found if type(one).__module__.startswith("casedesk_proxy")]
    assert not ours, Counter(type(one).__qualname__ for one in found)


_LARGE = "x" * 300_000


@pytest.mark.parametrize(
    ("surface", "body", "status"),
    [
        ("openai", {"model": "unknown", "user": _LARGE}, 404),
        ("gemini", {"contents": [{"parts": [{"text": _LARGE, "nonsense": 1}]}]}, 400),
    ],
)
async def test_nor_by_a_large_request_that_is_refused(
    surface: str, body: dict[str, Any], status: int
) -> None:
    """The request is planned in a planner, and its held body could remain."""
    target, usual = STREAMS[surface]
    asked = asking((target, {**usual, **body}))
    async with relay(speaks=["openai"]) as (gateway, _):
        assert (await ask(gateway.url, asked)).status == status
        with collecting() as found:
            for _ in range(3):
                assert (await ask(gateway.url, asked)).status == status
    ours = [one for one in found if type(one).__module__.startswith("casedesk_proxy")]
    assert not ours, Counter(type(one).__qualname__ for one in found)


async def test_nor_by_a_side_request_that_breaks() -> None:
    """Such as one that counts a prompt, whose large body was held for it."""
    loop, head = asyncio.get_running_loop(), parse_response_head(WHOLE[:-6])

    async def ask_in_vain() -> None:
        connection, transport = NodeConnection(loop), RecordingTransport()
        transport.set_protocol(connection)
        connection.connection_made(transport)
        loop.call_soon(lambda: cast(Any, transport.get_protocol()).connection_lost(None))
        with suppress(ConnectionError):
            await read_answer(connection, head)
        connection.transport = None  # as its own loss does

    await ask_in_vain()
    with collecting() as found:
        await ask_in_vain()
    assert not [one for one in found if type(one).__module__.startswith("casedesk_proxy")]
