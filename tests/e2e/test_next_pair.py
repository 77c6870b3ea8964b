"""What a new pair must have: its own package, and a line in the registry.

The pair here is for OpenAI clients with nodes that only speak Anthropic's protocol, which does not
exist yet. Only the registry is changed for it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects import registry
from casedesk_proxy.dialects.core.contract import Context, TranslatedRequest
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import connect
from tests.replying.shouting import Shouting

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\r\nwhole."
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnone"


def translate(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    streams = call.framing is not Framing.UNARY
    made = json.dumps({"model": context.model, "toy": True}).encode()
    return TranslatedRequest(
        "/v1/messages", made, streams, Shouting("at once" if streams else "late")
    )


@pytest.fixture(autouse=True)
def _in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    line = ((Dialect.ANTHROPIC, translate),)
    monkeypatch.setitem(registry._PAIRS, (Dialect.OPENAI, Action.CHAT), line)


async def test_a_whole_reply_is_translated_by_it() -> None:
    async with (
        relay(WHOLE, speaks=["anthropic"]) as (gateway, node),
        connect(gateway.url) as client,
    ):
        reply = await client.ask(asking(UNARY["openai"]))
    assert (reply.status, reply.body) == (200, b"WHOLE.")
    asked = node.requests[0]
    assert (asked.target, json.loads(asked.body)) == ("/v1/messages", {"model": "m", "toy": True})


async def test_a_stream_is_translated_by_it() -> None:
    pieces = (b"4\r\none \r\n", b"4\r\ntwo.\r\n", b"0\r\n\r\n")
    async with (
        relay(EVENTS, *pieces, speaks=["anthropic"]) as (gateway, _),
        connect(gateway.url) as client,
    ):
        reply = await client.ask(asking(STREAMS["openai"]))
    assert (reply.status, reply.body, reply.complete) == (200, b"ONE TWO.", True)


async def test_a_node_s_refusal_is_told_in_the_client_s_envelope() -> None:
    async with (
        relay(REFUSED, speaks=["anthropic"]) as (gateway, _),
        connect(gateway.url) as client,
    ):
        reply = await client.ask(asking(UNARY["openai"]))
    assert reply.status == 400
    assert json.loads(reply.body)["error"]["message"] == "node said 400 4"


async def test_without_the_line_there_is_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry._PAIRS, (Dialect.OPENAI, Action.CHAT))
    async with (
        relay(WHOLE, speaks=["anthropic"]) as (gateway, node),
        connect(gateway.url) as client,
    ):
        reply = await client.ask(asking(UNARY["openai"]))
    assert reply.status >= 400
    assert b"anthropic" in reply.body
    assert not node.requests
