"""Every exchange is counted, by its node's counts or by a marked estimate, however it ends; and
clients do not see what the proxy adds to their requests."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.store.file import FILE_NAME, open_reader
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.terms import Usage
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection, raw_node
from tests.server.gateways import CONFIG, SSE, Stage, chunk, staged
from tests.server.test_app import outcomes, wait_for

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"w"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":20}}\n\n'
DONE = b"data: [DONE]\n\n"


def request(**fields: Any) -> bytes:
    body = json.dumps({"model": "m", "stream": True, "messages": [], **fields}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def node(connection: NodeConnection) -> None:
    """A node that sends twenty words, and counts if they are requested."""
    asked = json.loads((await connection.request()).body)
    await connection.send(SSE, chunk(ROLE))
    for _ in range(20):
        await connection.send(chunk(WORD))
        await asyncio.sleep(0)
    await connection.send(chunk(FINISH))
    if asked.get("stream_options"):
        await connection.send(chunk(COUNTS))
    await connection.send(chunk(DONE), b"0\r\n\r\n")


async def ask(stage: Stage, **fields: Any) -> bytes:
    client = await stage.connect()
    client.write(request(**fields))
    async with asyncio.timeout(10):
        await client.head()
        return await client.rest()


def events(body: bytes) -> bytes:
    """The events without their framing."""
    lines = body.split(b"\r\n")
    return b"".join(lines[1::2])


ALL = ROLE + 20 * WORD + FINISH + DONE


async def test_a_client_that_does_not_ask_gets_what_it_would_have_got() -> None:
    async with staged(node) as stage:
        seen = outcomes(stage)
        assert events(await ask(stage)) == ALL
        assert events(await ask(stage, stream_options={"include_usage": True})) == (
            ROLE + 20 * WORD + FINISH + COUNTS + DONE
        )
        await wait_for(seen, 2)
        assert [one.usage for one in seen] == [Usage(7, 20), Usage(7, 20)]
        assert [one.terminal for one in seen] == [Terminal.COMPLETED, Terminal.COMPLETED]


async def test_where_every_byte_is_to_be_verbatim_counts_are_estimates() -> None:
    async with staged(node, deployment=", usage: verbatim") as stage:
        seen = outcomes(stage)
        assert events(await ask(stage)) == ALL
        await wait_for(seen)
        assert seen[0].usage.estimated
        assert 18 <= (seen[0].usage.output or 0) <= 22, "as many as its reads"
        assert seen[0].facts()["estimated"] == "true"


async def dying(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(SSE, chunk(ROLE))
    for _ in range(5):
        await connection.send(chunk(WORD))
        await asyncio.sleep(0)
    connection.close()


async def silent(connection: NodeConnection) -> None:
    await connection.request()
    await connection.until_gone()


async def refusing(connection: NodeConnection) -> None:
    await connection.request()
    body = b'{"error":{"message":"no","code":400}}'
    await connection.send(
        b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    )


async def endless(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(SSE, chunk(ROLE))
    while True:
        await connection.send(chunk(WORD))
        await asyncio.sleep(0.001)


async def flooding(connection: NodeConnection) -> None:
    await connection.request()
    await connection.send(SSE, chunk(ROLE))
    while True:
        await connection.send(chunk(WORD * 500))


async def closing(connection: NodeConnection) -> None:
    await connection.request()
    connection.close()


async def _fail(*_: Any) -> None:
    raise ZeroDivisionError


def messages() -> bytes:
    body = b'{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}'
    head = "POST /v1/messages HTTP/1.1\r\nHost: h\r\nanthropic-version: 1\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _taken(stage: Stage) -> None:
    """Wait until a node has a request."""
    async with asyncio.timeout(PATIENCE_S):
        while not (stage.in_flight() and stage.connections and stage.connections[-1].received):
            await asyncio.sleep(0.001)


async def _leave(stage: Stage, waits_for: bytes) -> None:
    client = await stage.connect()
    client.write(request())
    if waits_for:
        await client.take_through(waits_for)
    else:
        await _taken(stage)
    client.close()


@pytest.mark.parametrize(
    ("play", "server", "way", "ending", "is_counted"),
    [
        (node, "", "ask", Terminal.COMPLETED, True),
        (dying, "", "ask", Terminal.NODE_BROKE, True),
        (refusing, "", "ask", Terminal.COMPLETED, False),
        (silent, ", first_byte_timeout: 50ms", "ask", Terminal.TIMED_OUT, True),
        (silent, "", "leave early", Terminal.CLIENT_GONE, True),
        (endless, "", "leave", Terminal.CLIENT_GONE, True),
        (endless, "", "stop", Terminal.SHUT_DOWN, True),
        (silent, "", "wait in vain", Terminal.BUSY, False),
        (node, "", "ask for nothing", Terminal.REFUSED, False),
        (closing, "", "ask", Terminal.NODE_UNAVAILABLE, False),
        (flooding, "", "stop reading", Terminal.CLIENT_STALLED, True),
        (dying, "", "have it translated", Terminal.NODE_BROKE, True),
        (endless, "", "leave a translated one", Terminal.CLIENT_GONE, True),
        (node, "", "meet a bug", Terminal.FAILED, False),
    ],
)
async def test_every_ending_is_counted(
    play: Any, server: str, way: str, ending: Terminal, is_counted: bool
) -> None:
    queue = ", max_waiting: 0" if way == "wait in vain" else ""
    patience = ", client_stall_timeout: 100ms" if way == "stop reading" else ""
    node = server + (", max_streams: 1" if queue else "")
    async with staged(play, node=node, deployment=queue + patience, speaks="[openai]") as stage:
        seen = outcomes(stage)
        if way == "ask":
            await ask(stage)
        elif way == "ask for nothing":
            await ask(stage, model="unknown", messages=3)
        elif way == "meet a bug":
            stage.gateway._handler._forwarder.forward = _fail  # type: ignore[assignment]
            await ask(stage)
        elif way == "stop reading":
            client = await stage.connect()
            client.stop_reading()
            client.write(request())
        elif "translated" in way:
            client = await stage.connect()
            client.write(messages())
            await (client.rest() if way == "have it translated" else client.take_through(b"delta"))
            client.close()
        elif way.startswith("leave"):
            await _leave(stage, WORD if way == "leave" else b"")
        elif way == "stop":
            client = await stage.connect()
            client.write(request())
            await client.take_through(WORD)
            await stage.gateway.drain(0.0)
        else:
            client = await stage.connect()
            client.write(request())
            await _taken(stage)
            await ask(stage)
        await wait_for(seen)
        record = seen[0]
        assert record.terminal is ending
        if is_counted:
            assert record.usage.prompt is not None
            assert record.usage.output is not None
            assert record.usage.estimated is (ending is not Terminal.COMPLETED)


async def test_a_row_is_in_the_file_for_each(tmp_path: Path) -> None:
    store = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    seen: list[ExchangeRecord] = []
    async with raw_node(play=node) as behind:
        text = CONFIG.format(url=behind.url, speaks="[openai]", server="", node="", deployment="")
        gateway = Gateway(load_config(text, "l.yaml").config, {}, store=store, sinks=(seen.append,))
        await gateway.start()
        stage = Stage(gateway, int(gateway.urls[0].rsplit(":", 1)[1]), behind.connections)
        try:
            for fields in ({}, {"model": "unknown"}):
                await ask(stage, **fields)
            await wait_for(seen, 2)
        finally:
            for client in stage.clients:
                await client.end()
            await gateway.stop()
            await asyncio.to_thread(store.close, 10)

    def rows() -> list[tuple[object, ...]]:
        with open_reader(tmp_path / FILE_NAME) as reader:
            columns = "request, ending, status, prompt, output, estimated"
            return list(reader.execute(f"SELECT {columns} FROM exchanges"))

    assert await asyncio.to_thread(rows) == [
        (one.request_id, one.terminal, one.status, one.usage.prompt, one.usage.output, 0)
        for one in seen
    ]
