"""Anthropic's protocol: bodies, and streams with the events of Anthropic's."""

from __future__ import annotations

import json

from casedesk_proxy.simulator.answer import say
from tests.fixtures.raw_client import ask, request
from tests.fixtures.simulated import simulator
from tests.simulator.asking import VERSION, WORDS, events, stream


async def test_events_come_in_the_real_order() -> None:
    async with simulator() as node:
        message = await stream(node, "anthropic")
    names = [name for name, _ in events(message)]
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * WORDS,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(name == data["type"] for name, data in events(message))
    start, end = events(message)[0][1], events(message)[-2][1]
    assert start["message"]["usage"] == {"input_tokens": 2, "output_tokens": 0}
    assert end["usage"] == {"output_tokens": WORDS}
    assert end["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


HI = [{"role": "user", "content": "hi there"}]


async def test_bodies() -> None:
    body = {"model": "sim", "max_tokens": 100, "messages": HI, "system": [{"text": "be brief"}]}
    async with simulator() as node:
        made = await ask(node.url, request("/v1/messages", body, VERSION))
        count = await ask(node.url, request("/v1/messages/count_tokens", body, VERSION))
        unversioned = await ask(node.url, request("/v1/messages", body))
    message = json.loads(made.body)
    assert message["content"] == [{"type": "text", "text": say("hi there")}]
    assert message["usage"] == {"input_tokens": 4, "output_tokens": len(say("hi there").split())}
    assert json.loads(count.body) == {"input_tokens": 4}
    assert unversioned.status == 400
    assert json.loads(unversioned.body)["type"] == "error"
