"""A node's error reply without an end does not make its client wait."""

from __future__ import annotations

import pytest

from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import chat, chunk, staged

MESSAGES = (
    b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nanthropic-version: 2023-06-01\r\n"
    b"Content-Length: 76\r\n\r\n"
    b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}\n'
)


@pytest.mark.parametrize("request_", [chat(stream=False), MESSAGES], ids=["relayed", "translated"])
async def test_an_error_without_an_end_is_answered(request_: bytes) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(chunk(b"x" * 8192))

    async with staged(play, speaks="[openai]") as stage:
        client = await stage.connect()
        client.write(request_)
        head = await client.take_through(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400")
        # The node has noticed: nobody reads on.
        await stage.connections[-1].until_gone()
        assert stage.in_flight() == 0
