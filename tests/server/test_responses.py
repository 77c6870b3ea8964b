"""OpenAI's Responses before a node that speaks it: relayed as it is, its end and its usage seen;
what no engine knows is translated even there."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from casedesk_proxy.replying.record import Terminal
from tests.dialects.pairs.test_anthropic_openai_reply import HELLO, STOP
from tests.dialects.responses_asking import MCP, asking, events, read
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, Stage, chunk, read_head, staged
from tests.server.test_gateway import outcomes, wait_for

SPEAKS = "[openai, responses]"
STREAM = read([*HELLO, *STOP], stream=True) or b""
WHOLE = read([*HELLO, *STOP], stream=False) or b""
FRAMES = [frame + b"\n\n" for frame in STREAM.split(b"\n\n")[:-1]]
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def request(**fields: Any) -> bytes:
    body = json.dumps(asking(model="m", **fields)).encode()
    return (
        b"POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )


def client(stage: Stage) -> openai.AsyncOpenAI:
    url = f"http://127.0.0.1:{stage.port}/v1"
    return openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)


@pytest.mark.parametrize("done", [b"", chunk(b"data: [DONE]\n\n")])
async def test_a_relayed_stream(done: bytes) -> None:
    """vLLM's ends with [DONE], OpenAI's without."""
    body = b"".join(map(chunk, FRAMES)) + done + b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        asked = await connection.request()
        assert asked.head.startswith(b"POST /v1/responses ")
        await connection.send(SSE, *map(chunk, FRAMES), done + b"0\r\n\r\n")

    async with staged(play, speaks=SPEAKS) as stage:
        seen = outcomes(stage)
        reader, writer = await stage.connect()
        writer.write(request(stream=True))
        await read_head(reader)
        assert await reader.readexactly(len(body)) == body
        outcome = await wait_for(seen)
        assert outcome.terminal is Terminal.COMPLETED
        assert outcome.surface == "responses"
        counts = json.loads(WHOLE)["usage"]
        assert outcome.usage.prompt == counts["input_tokens"]
        assert outcome.usage.output == counts["output_tokens"]


async def test_a_relayed_body() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(JSON % len(WHOLE) + WHOLE)

    async with staged(play, speaks=SPEAKS) as stage:
        seen = outcomes(stage)
        reader, writer = await stage.connect()
        writer.write(request())
        await read_head(reader)
        assert await reader.readexactly(len(WHOLE)) == WHOLE
        assert (await wait_for(seen)).usage.output == json.loads(WHOLE)["usage"]["output_tokens"]


@pytest.mark.parametrize("count", range(1, len(FRAMES)))
@pytest.mark.parametrize("clean", [True, False])
async def test_a_stream_that_breaks(count: int, clean: bool) -> None:
    """The last event says why, and the message has no end: nobody takes it for complete."""

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, *map(chunk, FRAMES[:count]))
        if clean:
            await connection.send(b"0\r\n\r\n")
        else:
            connection.abort()

    async with staged(play, speaks=SPEAKS) as stage:
        seen = outcomes(stage)
        reader, writer = await stage.connect()
        writer.write(request(stream=True))
        await read_head(reader)
        body = await reader.read()
        assert not body.endswith(b"0\r\n\r\n")
        last = body.rpartition(b"\ndata: ")[2]
        assert b"response.completed" not in body
        told = json.loads(last.partition(b"\n")[0])
        assert told["type"] == "response.failed"
        assert told["response"]["error"]["code"] == "server_error"
        assert told["response"]["id"] == events(STREAM)[0]["response"]["id"]
        assert told["sequence_number"] == count
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE


async def test_the_sdk_notices_a_break() -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, *map(chunk, FRAMES[:5]))
        connection.abort()

    async with staged(play, speaks=SPEAKS) as stage, client(stage) as sdk:
        kinds = []
        with pytest.raises(openai.APIConnectionError):
            async with sdk.responses.stream(model="m", input="Hi") as stream:
                async for event in stream:
                    kinds.append(event.type)
        assert kinds[-1] == "response.failed"


async def test_a_node_that_failed_is_at_fault() -> None:
    failed = FRAMES[0].replace(b"response.created", b"response.failed")
    body = chunk(failed) + b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, body)

    async with staged(play, speaks=SPEAKS) as stage:
        seen = outcomes(stage)
        reader, writer = await stage.connect()
        writer.write(request(stream=True))
        await read_head(reader)
        assert await reader.readexactly(len(body)) == body
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE


async def test_namespaces_are_translated_even_there() -> None:
    body = b"".join(map(chunk, (*HELLO, *STOP))) + b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        asked = await connection.request()
        assert asked.head.startswith(b"POST /v1/chat/completions ")
        name = json.loads(asked.body)["tools"][0]["function"]["name"]
        assert name == "mcp__weather__get_weather"
        await connection.send(SSE, body)

    async with staged(play, speaks=SPEAKS) as stage, client(stage) as sdk:
        reply = await sdk.responses.create(model="m", input="Hi", tools=[MCP])  # type: ignore[list-item]
        assert reply.status == "completed"
