"""The prompt's size at the beginning of an Anthropic stream from a node that speaks OpenAI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.e2e.relaying import asking
from tests.fixtures.messages import Message
from tests.fixtures.proxy import ProxyProcess, proxy_here
from tests.fixtures.raw_client import ask, connect
from tests.fixtures.raw_node import NodeConnection, RawNode, raw_node
from tests.fixtures.raw_peer import PeerGone

MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "stream": True,
    "messages": [{"role": "user", "content": "one two three"}],
}
CALL = ("/proxy/d/anthropic/v1/messages", MESSAGES)
CHUNKS = (
    {"id": "x", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
    {"id": "x", "choices": [], "usage": {"prompt_tokens": 41, "completion_tokens": 2}},
)
STREAM = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in CHUNKS)
STREAM += b"data: [DONE]\n\n"
COUNT = b'{"count":42,"max_model_len":4096,"tokens":[1,2]}'
CHAT, TOKENIZE = "/v1/chat/completions", "/tokenize"


def reply(body: bytes, kind: str = "application/json", status: int = 200) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def counts_of(message: Message) -> tuple[int, int]:
    """The prompt's counts at the beginning and at the end of the stream."""
    events = [
        json.loads(line.removeprefix(b"data: "))
        for line in message.body.splitlines()
        if line.startswith(b"data: ")
    ]
    begun = next(one for one in events if one["type"] == "message_start")
    ended = next(one for one in events if one["type"] == "message_delta")
    return begun["message"]["usage"]["input_tokens"], ended["usage"]["input_tokens"]


class Porter:
    """Sorts the connections of a node by the first request on them, apart from metadata."""

    def __init__(self, node: RawNode) -> None:
        loop = asyncio.get_running_loop()
        self._node = node
        self._found = {target: loop.create_future() for target in (CHAT, TOKENIZE)}
        self._tasks = [asyncio.create_task(self._receive())]

    async def _receive(self) -> None:
        while True:
            connection = await self._node.connection()
            self._tasks.append(asyncio.create_task(self._sort(connection)))

    async def _sort(self, connection: NodeConnection) -> None:
        with suppress(PeerGone):
            while True:
                message = await connection.request()
                if message.target in self._found:
                    self._found[message.target].set_result((connection, message))
                    return
                await connection.send(reply(b"{}", status=404))

    async def chat(self) -> NodeConnection:
        return (await self._found[CHAT])[0]

    async def tokenizer(self) -> tuple[NodeConnection, Message]:
        return await self._found[TOKENIZE]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def desk(
    engine: str = "vllm", **deployment: Any
) -> AsyncIterator[tuple[str, Porter, RawNode]]:
    """The proxy's URL, and both sides of its node."""
    async with raw_node() as node:
        porter = Porter(node)
        settings = {"url": node.url, "engine": engine, "speaks": ["openai"], "models": ["m"]}
        config = {
            "nodes": {"n": settings},
            "deployments": {"d": {"nodes": ["n"], "auth": "none", **deployment}},
        }
        async with proxy_here(config) as gateway:
            yield gateway.url, porter, node
        await porter.end()


@pytest.mark.parametrize("first", [CHAT, TOKENIZE])
@pytest.mark.parametrize("make", [reply, chunked])
async def test_the_tokenizer_is_asked_beside(first: str, make: Any) -> None:
    async with desk() as (url, porter, _):
        client = asyncio.create_task(ask(url, asking(CALL)))
        chat, (tokenizer, question) = await porter.chat(), await porter.tokenizer()
        steps = [(chat, reply(STREAM, "text/event-stream")), (tokenizer, make(COUNT))]
        for connection, data in steps if first == CHAT else reversed(steps):
            await connection.send(data)
        message = await client
    assert counts_of(message) == (42, 41)
    body = json.loads(question.body)
    assert body["messages"] == [{"role": "user", "content": "one two three"}]
    assert body["add_generation_prompt"] is True


async def test_the_tokenizer_is_asked_about_a_large_request_too() -> None:
    """A planner reads the large request. Neither it nor the question to the tokenizer is in the
    daemon's memory."""
    text = 'as they say, "one two three"\n' * 20_000
    large = MESSAGES | {"messages": [{"role": "user", "content": text}]}
    async with desk() as (url, porter, _):
        client = asyncio.create_task(ask(url, asking((CALL[0], large))))
        chat, (tokenizer, question) = await porter.chat(), await porter.tokenizer()
        await tokenizer.send(reply(COUNT))
        await chat.send(reply(STREAM, "text/event-stream"))
        message = await client
    assert counts_of(message) == (42, 41)
    assert json.loads(question.body)["messages"] == [{"role": "user", "content": text}]


@pytest.mark.parametrize(
    "answer",
    [
        reply(b'{"detail":"Not Found"}', status=404),
        reply(b"{"),
        reply(b'{"count":"many"}'),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"",
    ],
)
async def test_without_an_answer_the_stream_goes_on(answer: bytes) -> None:
    async with desk() as (url, porter, _):
        client = asyncio.create_task(ask(url, asking(CALL)))
        chat, (tokenizer, _) = await porter.chat(), await porter.tokenizer()
        if answer:
            await tokenizer.send(answer)
        tokenizer.close()
        await chat.send(reply(STREAM, "text/event-stream"))
        message = await client
    assert counts_of(message) == (0, 41)


async def test_a_tokenizer_that_hangs_is_not_waited_for() -> None:
    async with desk() as (url, porter, _):
        client = asyncio.create_task(ask(url, asking(CALL)))
        chat, (tokenizer, _) = await porter.chat(), await porter.tokenizer()
        await chat.send(reply(STREAM, "text/event-stream"))
        assert counts_of(await client) == (0, 41)
        await tokenizer.until_gone()


@pytest.mark.parametrize("replied", [False, True])
async def test_a_client_that_leaves_takes_both_along(replied: bool) -> None:
    async with desk() as (url, porter, _), connect(url) as client:
        client.write(asking(CALL))
        chat, (tokenizer, _) = await porter.chat(), await porter.tokenizer()
        if replied:
            await chat.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.close()
        await chat.until_gone()
        await tokenizer.until_gone()


@pytest.mark.parametrize(
    ("body", "engine", "deployment"),
    [
        ({**MESSAGES, "stream": False}, "vllm", {}),
        (MESSAGES, "vllm", {"count_prompt": False}),
        (MESSAGES, "ollama", {}),
    ],
)
async def test_it_is_not_asked_where_nobody_would_learn_of_it(
    body: dict[str, Any], engine: str, deployment: dict[str, Any]
) -> None:
    """One body has the node's own count, a deployment may turn the question off, and Ollama cannot
    answer it."""
    async with desk(engine, **deployment) as (url, porter, node):
        client = asyncio.create_task(ask(url, asking((CALL[0], body))))
        await (await porter.chat()).send(reply(STREAM, "text/event-stream"))
        assert (await client).status == 200
        assert TOKENIZE not in [one.target for one in node.requests]


async def test_a_real_node(chat_only: ProxyProcess) -> None:
    system = {"system": "Be kind.", "tools": [{"name": "f", "input_schema": {"type": "object"}}]}
    body = {**MESSAGES, "model": "gemma2:9b", **system}
    target = CALL[0].replace("/d/", "/tiny/")
    begun, _ = counts_of(await ask(chat_only.url, asking((target, body))))
    whole = await ask(chat_only.url, asking((target, {**body, "stream": False})))
    usage = json.loads(whole.body)["usage"]
    assert begun == usage["input_tokens"] + usage["cache_read_input_tokens"] > 20
