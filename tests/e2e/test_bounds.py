"""Refusals for want of room come in the words of the surface that was asked."""

from __future__ import annotations

import json

import pytest

from e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import connect

#: A status each; Anthropic's clients wait for 529.
FULL = {"gemini": 503, "anthropic": 529, "openai": 503}


@pytest.mark.parametrize("kinds", [STREAMS, UNARY])
@pytest.mark.parametrize("surface", FULL)
async def test_no_room_for_a_body(
    surface: str, kinds: dict[str, tuple[str, dict[str, str]]]
) -> None:
    server = {"max_bodies": "1KiB", "max_body": "1KiB"}
    async with (
        relay(server=server) as (gateway, node),
        connect(gateway.url) as first,
        connect(gateway.url) as second,
    ):
        path, body = kinds[surface]
        first.write(asking((path, {**body, "user": "x" * 900})))
        connection = await node.connection()
        await connection.request()
        reply = await second.ask(asking((path, {**body, "user": "x" * 500})))
        assert reply.status == FULL[surface]
        assert int(reply.value("retry-after") or b"") >= 1
        assert "max_bodies" in json.loads(reply.body)["error"]["message"]
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await first.reply()
        second.write(asking((path, {**body, "user": "x" * 900})))
        await connection.request()
