"""A streaming chat is steered at the node that runs it, by the client that began it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chunk
from tests.server.pooled import Member, PoolStage, pooled

KEYS = {"ann": "key-of-ann-1", "bob": "key-of-bob-2"}
HASHES = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
CONTROL = "/v1/chat/completions/control"
DONE = b'{"success":true}'


class Runner(Member):
    """A llama-server that runs a chat under its own id until the chat is steered."""

    def __init__(self, name: str) -> None:
        super().__init__(name, self.perform, more=", max_streams: 1", engine="llama-server")
        self.steered: list[dict[str, Any]] = []
        self.ended = asyncio.Event()

    async def perform(self, connection: NodeConnection) -> None:
        while True:
            request = await connection.request()
            if request.target == CONTROL:
                self.steered.append(json.loads(request.body))
                self.ended.set()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                await connection.send(b"%bContent-Length: %d\r\n\r\n" % (head, len(DONE)), DONE)
                continue
            said = {"choices": [{"delta": {"content": '"id":"chatcmpl-no"'}, "index": 0}]}
            first = json.dumps({**said, "id": f"chatcmpl-{self.name}"}, separators=(",", ":"))
            await connection.send(SSE, chunk(b"data: " + first.encode() + b"\n\n"))
            await self.ended.wait()
            await connection.send(chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")


def request(path: str, body: dict[str, Any], who: str) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEYS[who]}\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def steer(stage: PoolStage, ident: Any, who: str = "ann", **more: Any) -> tuple[int, Any]:
    body = {"id": ident, "action": "reasoning_end", **more}
    status, _, answer = await stage.ask(request(CONTROL, body, who))
    return status, json.loads(answer)


async def test_a_running_chat_is_steered_at_its_node_though_that_is_full() -> None:
    a, b = Runner("a"), Runner("b")
    async with pooled(a, b, keys=HASHES) as stage:
        chat = request("/v1/chat/completions", {"model": "m", "stream": True}, "ann")
        clients = [await stage.connect() for _ in (a, b)]
        for client in clients:
            client.write(chat)
            await client.head()
            await client.take_through(b"\n\n")
        assert await steer(stage, "chatcmpl-b", model="m") == (200, {"success": True})
        assert b.steered == [{"id": "chatcmpl-b", "action": "reasoning_end", "model": "m"}]
        assert a.steered == []
        # Another's chat, one that is none, and one that has ended, are nobody's.
        for ident, who in (("chatcmpl-a", "bob"), ("chatcmpl-no", "ann"), ("x", "ann")):
            status, told = await steer(stage, ident, who)
            assert (status, told["error"]["code"]) == (404, "chat_not_found")
        await clients[1].take_through(b"0\r\n\r\n")
        while stage.in_flight() > 1:
            await asyncio.sleep(0)
        assert (await steer(stage, "chatcmpl-b"))[0] == 404
        assert await steer(stage, "chatcmpl-a", model="gone") == (200, {"success": True})
        assert a.steered[0]["model"] == "m"


@pytest.mark.parametrize("ident", [None, 7, ""])
async def test_what_is_no_id_is_refused_by_name(ident: Any) -> None:
    async with pooled(Runner("a"), keys=HASHES) as stage:
        status, told = await steer(stage, ident)
        assert (status, told["error"]["param"]) == (400, "id")
