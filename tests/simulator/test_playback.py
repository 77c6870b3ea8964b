"""How the simulated node breaks a reply: exactly as its script says."""

from __future__ import annotations

import asyncio
import json

import pytest

from casedesk_proxy.simulator.playback import GARBAGE
from tests.fixtures.messages import Message
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.raw_peer import Parting
from tests.fixtures.simulated import simulator
from tests.simulator.asking import SURFACES, stream, streaming

CHAT = {"model": "sim", "messages": [{"role": "user", "content": "good day"}]}


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_cut_leaves_the_message_open(surface: str) -> None:
    async with simulator() as node:
        whole = await stream(node, surface)
        async with connect(node.url) as client:
            message = await client.ask(streaming(surface, script="ending=cut"))
    assert not message.complete
    assert message.chunks == whole.chunks[:3]
    assert client.parting is Parting.FIN


async def test_a_reset_resets() -> None:
    async with simulator() as node, connect(node.url) as client:
        client.write(streaming("sse", "sim-reset"))
        await client.until_gone()
    assert client.parting is Parting.RST


@pytest.mark.parametrize("surface", SURFACES)
async def test_unfinished_ends_http_but_not_the_protocol(surface: str) -> None:
    async with simulator() as node:
        whole = await stream(node, surface)
        message = await stream(node, surface, script="ending=unfinished")
    assert message.complete
    assert message.chunks == whole.chunks[:3]


@pytest.mark.parametrize("surface", SURFACES)
async def test_an_error_between_events_is_the_protocols(surface: str) -> None:
    async with simulator() as node:
        message = await stream(node, surface, "sim-broken")
    assert message.complete
    last = message.chunks[3].decode().strip().removeprefix("event: error\n")
    error = json.loads(last.removeprefix("data: ").removeprefix(","))
    assert "broke" in error["error"]["message"]


async def test_garbage_is_garbage() -> None:
    async with simulator() as node:
        message = await stream(node, "chat", "sim-garbage")
    assert message.chunks[3:] == [GARBAGE]
    assert message.complete


@pytest.mark.parametrize("size", [0, 1, 100, 1000])
async def test_after_bytes_counts_bytes(size: int) -> None:
    async with simulator() as node:
        whole = await stream(node, "sse")
        message = await stream(node, "sse", script=f"ending=cut&after_bytes={size}&piece=64")
    assert message.body == whole.body[:size]
    assert not message.complete


async def test_an_ending_comes_behind_a_shorter_reply() -> None:
    async with simulator() as node:
        whole = await stream(node, "sse")
        message = await stream(node, "sse", script="ending=cut&after_events=1000")
    assert message.body == whole.body
    assert not message.complete


@pytest.mark.parametrize("surface", SURFACES)
async def test_hanging_lasts_until_the_client_leaves(surface: str) -> None:
    async with simulator() as node:
        async with connect(node.url) as client:
            client.write(streaming(surface, "sim-hang"))
            await client.head()
            received = await node.arrived(1)
            assert not received.closed.done()
            client.reset()
        await asyncio.wait_for(received.closed, PATIENCE_S)
        assert not received.answered.done()


@pytest.mark.parametrize(
    ("script", "check"),
    [
        ("ending=unfinished", lambda reply, whole: reply.complete and reply.body in whole),
        ("ending=cut&after_bytes=9", lambda reply, _: len(reply.body) == 9 and not reply.complete),
        ("ending=garbage", lambda reply, _: reply.complete and reply.body == GARBAGE),
        ("ending=error", lambda reply, _: reply.status == 500),
        ("piece=10", lambda reply, whole: reply.complete and reply.body == whole),
    ],
)
async def test_bodies_break_too(script: str, check: object) -> None:
    async with simulator() as node:
        whole = await ask(node.url, request("/v1/chat/completions", CHAT))
        reply = await ask(
            node.url, request("/v1/chat/completions", CHAT, f"x-goog-simulator: {script}")
        )
    assert check(reply, whole.body)


def envelope(surface: str, message: Message) -> dict:
    value = json.loads(message.body)
    return (value[0] if surface == "array" else value)["error"]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("status", [400, 401, 429, 503, 529, 418])
async def test_errors_have_their_status_and_envelope(surface: str, status: int) -> None:
    async with simulator() as node:
        message = await stream(node, surface, f"sim-error-{status}", script="retry_after=7")
    assert message.status == status
    assert envelope(surface, message)["message"] == f"simulated error {status}"
    assert message.value("retry-after") == b"7"


async def test_an_error_may_say_anything() -> None:
    async with simulator() as node:
        message = await stream(node, "chat", script="status=502&body=%3Chtml%3Ebad")
    assert (message.status, message.body) == (502, b"<html>bad")


@pytest.mark.parametrize("script", ["speed=3", "words=many", "ending=soon"])
async def test_a_wrong_script_is_refused(script: str) -> None:
    async with simulator() as node:
        message = await stream(node, "chat", script=script)
    assert message.status == 400
    assert "x-goog-simulator" in envelope("chat", message)["message"]
