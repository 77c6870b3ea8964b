"""Large requests: planned by a separate process, with the same bytes for node and client as
otherwise."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.messages import Message
from tests.fixtures.raw_client import connect
from tests.fixtures.raw_node import NodeConnection
from tests.planners.asking import TARGETS, write
from tests.server.test_uploads import Stage, staged

LEAST = 4096
TEXTS = ["é\u2028 \ud83d\ude00".encode("utf-8", "surrogatepass").decode("utf-8", "replace")] * 200
ANSWER = (
    b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":4}}'
)
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


@asynccontextmanager
async def large(planners: int = 1, **server: Any) -> AsyncIterator[Stage]:
    settings = {"large_body": LEAST, "planners": planners, **server}
    node = {"engine": "vllm", "speaks": ["openai"]}
    async with staged(server=settings, node=node, play=answer_all) as stage:
        yield stage


def post(target: str, body: bytes, *, chunked: bool = False) -> bytes:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    head = b"POST %b HTTP/1.1\r\nHost: h\r\nx-request-id: r-1\r\n%b\r\n"
    head += b"anthropic-version: 2023-06-01\r\n\r\n"
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return head % (target.encode(), framing) + sent


async def answer_all(connection: NodeConnection) -> None:
    """Answer every request in the same way, without a check of others."""
    while True:
        request = await connection.request()
        if request.method == "POST":
            HAD.append((request.target, request.body))
        await connection.send(REPLY % (len(ANSWER), ANSWER))


#: What nodes had since the last exchange.
HAD: list[tuple[str, bytes]] = []


async def exchange(stage: Stage, data: bytes) -> tuple[list[tuple[str, bytes]], Message]:
    """The node's request, and the client's reply."""
    HAD.clear()
    async with connect(stage.proxy.url) as client:
        await client.send(data)
        reply = await client.reply()
    return [*HAD], reply


def _timeless(reply: Message) -> tuple[int, bytes]:
    return reply.status, re.sub(rb'"created(_at)?":\d+', b"", reply.body)


@pytest.mark.parametrize(("model", "chunked"), [("m", True), ("loud", False)])
async def test_the_same_bytes_both_ways(model: str, chunked: bool) -> None:
    async with large() as apart, large(planners=0) as here:
        for route in sorted(TARGETS.keys() - {"anthropic", "gemini stream"}):
            raw = write(route, model, TEXTS, indent=1)
            assert len(raw) > LEAST
            data = post(TARGETS[route].replace("/m:", f"/{model}:"), raw, chunked=chunked)
            one, other = await exchange(apart, data), await exchange(here, data)
            assert one[0] == other[0], route
            assert one[0] or one[1].status >= 400, route
            assert _timeless(one[1]) == _timeless(other[1]), route
        for before, after in zip(here.ended, apart.ended, strict=True):
            assert (after.asked, after.model, after.received) == (
                before.asked, before.model, before.received,
            )  # fmt: skip
            assert after.text_size == before.text_size
        assert len(apart.proxy.gateway._handler.planners.pids) == 1
        assert not here.proxy.gateway._handler.planners.pids


async def test_small_ones_start_no_process() -> None:
    async with large() as stage:
        await exchange(stage, post(TARGETS["openai"], write("openai", "m", ["Hi"])))
        assert not stage.proxy.gateway._handler.planners.pids


@pytest.mark.parametrize(("route", "status"), [("gemini", 503), ("anthropic", 529)])
async def test_a_planner_that_dies_is_told_in_the_client_s_form(route: str, status: int) -> None:
    async with large() as stage, connect(stage.proxy.url) as client:
        planners = stage.proxy.gateway._handler.planners
        planners.expect()
        while not planners.is_idle:
            await asyncio.sleep(0.01)
        (pid,) = planners.pids
        os.kill(pid, signal.SIGSTOP)
        raw = write(route, "m", TEXTS)
        await client.send(post(TARGETS[route], raw))
        while planners.is_idle:
            await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        reply = await client.reply()
        assert reply.status == status
        assert b"died" in reply.body
        assert reply.value("retry-after") == b"1"
        *_, reply = await exchange(stage, post(TARGETS["openai"], write("openai", "m", TEXTS)))
        assert reply.status == 200
        assert planners.pids != [pid]


async def test_what_is_held_is_given_back() -> None:
    async with large(max_body=100_000, max_bodies=100_000) as stage:
        raw = write("gemini", "m", TEXTS)
        for _ in range(30):  # More than there is room for at once.
            assert (await exchange(stage, post(TARGETS["gemini"], raw)))[1].status == 200
        assert stage.proxy.gateway._public.body_memory.used == 0


async def test_too_large_is_413() -> None:
    async with large(max_body=10_000) as stage, connect(stage.proxy.url) as client:
        await client.send(post(TARGETS["openai"], b"x" * 20_000, chunked=True))
        assert (await client.reply()).status == 413


async def test_another_node_gets_all_of_it_where_the_first_one_is_lost() -> None:
    raw = write("openai", "m", TEXTS * 20)
    settings = {"large_body": LEAST, "planners": 1}

    async def leave(connection: NodeConnection) -> None:
        request = await connection.request()
        HAD.append((request.target, request.body))
        if len(HAD) == 1:
            connection.close()
        else:
            await connection.send(REPLY % (len(ANSWER), ANSWER))

    HAD.clear()
    async with (
        staged(2, server=settings, play=leave) as stage,
        connect(stage.proxy.url) as client,
    ):
        await client.send(post(TARGETS["openai"], raw))
        assert (await client.reply()).body == ANSWER
        assert [body for _, body in HAD] == [raw, raw]
        assert (await stage.outcome()).terminal is Terminal.COMPLETED
