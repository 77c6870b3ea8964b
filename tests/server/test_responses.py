"""OpenAI's Responses with a node that speaks it: relayed unchanged, with its end and its usage
found, except for the names of functions in namespaces, which no engine supports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.dialects.pairs.anthropic_openai.test_reply import HELLO, STOP, calls, fragment
from tests.dialects.responses_asking import MCP, asking, events, read
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.sdks import openai
from tests.server.gateways import SSE, Stage, chunk, staged
from tests.server.test_app import outcomes, wait_for

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
    """vLLM's stream ends with [DONE], OpenAI's without it."""
    body = b"".join(map(chunk, FRAMES)) + done + b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        asked = await connection.request()
        assert asked.head.startswith(b"POST /v1/responses ")
        await connection.send(SSE, *map(chunk, FRAMES), done + b"0\r\n\r\n")

    async with staged(play, speaks=SPEAKS) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(request(stream=True))
        await client.head()
        assert await client.take(len(body)) == body
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
        client = await stage.connect()
        client.write(request())
        await client.head()
        assert await client.take(len(WHOLE)) == WHOLE
        assert (await wait_for(seen)).usage.output == json.loads(WHOLE)["usage"]["output_tokens"]


@pytest.mark.parametrize("count", range(1, len(FRAMES)))
@pytest.mark.parametrize("clean", [True, False])
async def test_a_stream_that_breaks(count: int, clean: bool) -> None:
    """The last event has the reason, and the message does not end: no client takes the stream for
    complete."""

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, *map(chunk, FRAMES[:count]))
        if clean:
            await connection.send(b"0\r\n\r\n")
        else:
            connection.abort()

    async with staged(play, speaks=SPEAKS) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(request(stream=True))
        await client.head()
        body = await client.rest()
        assert not body.endswith(b"0\r\n\r\n")
        last = body.rpartition(b"\ndata: ")[2]
        assert b"response.completed" not in body
        told = json.loads(last.partition(b"\n")[0])
        assert told["type"] == "response.failed"
        assert told["response"]["error"]["code"] == "server_error"
        assert told["response"]["id"] == events(STREAM)[0]["response"]["id"]
        assert told["sequence_number"] == count
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE


@pytest.mark.parametrize("speaks", [SPEAKS, "[openai]"])
async def test_codex_gets_an_end_behind_the_reason(speaks: str) -> None:
    """Codex then shows the reason, and it takes no stream for complete without its last event."""

    async def play(connection: NodeConnection) -> None:
        asked = await connection.request()
        relayed = asked.target == "/v1/responses"
        await connection.send(SSE, chunk(FRAMES[0] if relayed else HELLO[0]))
        connection.abort()

    async with staged(play, speaks=speaks) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        wanted = request(stream=True)
        client.write(wanted.replace(b"Host: h", b"Host: h\r\nUser-Agent: codex_exec/0.171.0"))
        await client.head()
        body = await client.rest()
        assert body.endswith(b"\r\n0\r\n\r\n")
        assert b'"type":"response.failed"' in body
        assert b"response.completed" not in body
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
        client = await stage.connect()
        client.write(request(stream=True))
        await client.head()
        assert await client.take(len(body)) == body
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE


@pytest.mark.parametrize("stream", [False, True])
async def test_namespaces_are_taken_off_and_put_back(stream: bool) -> None:
    """No engine supports namespaces: the node gets flat names, and the client gets its own."""
    called = [calls(fragment(0, "call_aaaa", "mcp__weather__get_weather", "{}")), *STOP]
    plain = {"type": "function", "name": "mcp__weather__get_weather"}
    whole = read(called, stream=False, tools=[plain]) or b""
    pieces = (read(called, stream=True, tools=[plain]) or b"").split(b"\n\n")[:-1]

    async def play(connection: NodeConnection) -> None:
        asked = await connection.request()
        assert asked.head.startswith(b"POST /v1/responses ")
        (tool,) = json.loads(asked.body)["tools"]
        assert tool["name"] == "mcp__weather__get_weather"
        if stream:
            await connection.send(SSE, *[chunk(one + b"\n\n") for one in pieces], b"0\r\n\r\n")
        else:
            await connection.send(JSON % len(whole) + whole)

    async with staged(play, speaks=SPEAKS) as stage, client(stage) as sdk:
        seen = outcomes(stage)
        asking: dict[str, Any] = {"model": "m", "input": "Hi", "tools": [MCP]}
        reply: Any
        if stream:
            async with sdk.responses.stream(**asking) as told:
                kinds = [event.type async for event in told]
                reply = await told.get_final_response()
            assert kinds[-1] == "response.completed"
        else:
            reply = await sdk.responses.create(**asking)
        (call,) = reply.output
        assert (call.name, call.namespace) == ("get_weather", "mcp__weather")
        assert reply.tools[0].to_dict() == MCP
        outcome = await wait_for(seen)
        assert outcome.terminal is Terminal.COMPLETED
        assert outcome.usage.output == reply.usage.output_tokens


async def test_a_kept_response_has_the_client_s_own_names() -> None:
    """A response that is made in the background is only available on request."""
    called = [calls(fragment(0, "call_aaaa", "mcp__weather__get_weather", "{}")), *STOP]
    plain = {"type": "function", "name": "mcp__weather__get_weather"}
    whole = read(called, stream=False, tools=[plain]) or b""
    pieces = (read(called, stream=True, tools=[plain]) or b"").split(b"\n\n")[:-1]

    async def play(connection: NodeConnection) -> None:
        while True:
            asked = await connection.request()
            if b"stream=true" in asked.head:
                await connection.send(SSE, *[chunk(one + b"\n\n") for one in pieces], b"0\r\n\r\n")
            else:
                await connection.send(JSON % len(whole) + whole)

    async with staged(play, speaks=SPEAKS) as stage, client(stage) as sdk:
        tools: Any = [MCP]
        made = await sdk.responses.create(model="m", input="Hi", tools=tools, background=True)
        told = [
            await sdk.responses.retrieve(made.id),
            await sdk.responses.cancel(made.id),
        ]
        async for event in await sdk.responses.retrieve(made.id, stream=True):
            told += [event.response] if event.type == "response.completed" else []
        assert len(told) == 3
        for one in told:
            (call,) = one.output
            assert call.type == "function_call"
            assert (call.name, call.namespace) == ("get_weather", "mcp__weather")
            assert one.tools[0].to_dict() == MCP


@pytest.mark.parametrize("count", range(1, len(FRAMES)))
async def test_a_stream_with_namespaces_that_breaks(count: int) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, *map(chunk, FRAMES[:count]))
        connection.abort()

    async with staged(play, speaks=SPEAKS) as stage:
        client = await stage.connect()
        client.write(request(stream=True, tools=[MCP]))
        await client.head()
        body = await client.rest()
        assert b"response.completed" not in body
        last = body.rpartition(b"\ndata: ")[2]
        told = json.loads(last.partition(b"\n")[0])
        assert told["type"] == "response.failed"
        assert told["response"]["id"] == events(STREAM)[0]["response"]["id"]
        assert told["sequence_number"] == count + 1, "the response was shown again"


async def test_two_functions_that_would_get_one_name() -> None:
    async def play(connection: NodeConnection) -> None:
        raise AssertionError("no node is asked")

    tools: Any = [{"type": "function", "name": "mcp__weather__get_weather"}, MCP]
    async with staged(play, speaks=SPEAKS) as stage, client(stage) as sdk:
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.responses.create(model="m", input="Hi", tools=tools)
        assert refused.value.param == "tools[1].tools[0].name"


async def test_a_namespace_of_other_things_is_translated() -> None:
    body = b"".join(map(chunk, (*HELLO, *STOP))) + b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        asked = await connection.request()
        assert asked.head.startswith(b"POST /v1/chat/completions ")
        await connection.send(SSE, body)

    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}
    odd: Any = [MCP | {"tools": [{"type": "custom", "name": "x", "format": grammar}]}]
    async with staged(play, speaks=SPEAKS) as stage, client(stage) as sdk:
        raw = await sdk.responses.with_raw_response.create(model="m", input="Hi", tools=odd)
        assert raw.headers["x-casedesk-dropped"] == "tools[0].tools[0]:custom"
