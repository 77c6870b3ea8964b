"""Responses that nodes keep: a request for one by its id goes to the node that has it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.dialects.responses_asking import asking
from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import SSE, chunk
from tests.server.pooled import Member, PoolStage, pooled
from tests.server.test_responses import FRAMES, WHOLE

KEYS = {"ann": "key-of-ann-1", "bob": "key-of-bob-2"}
HASHES = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
NO_SUCH = (
    b'{"error":{"message":"Response with id \'x\' not found.","type":"invalid_request_error"}}'
)
LOST = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
SPEAKS = "openai, responses"


def request(method: str, path: str, body: dict[str, Any] | None = None, who: str = "ann") -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} /v1{path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEYS[who]}\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def make(who: str = "ann", **fields: Any) -> bytes:
    return request("POST", "/responses", asking(model="m", **fields), who)


class Keeper:
    """A node that keeps its responses, whole or as a stream; ``asked`` are its requests."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ident = f"resp_of_{name}"
        self.asked: list[str] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    @property
    def whole(self) -> bytes:
        made = json.loads(WHOLE)
        return json.dumps(made | {"id": self.ident}).encode()

    @property
    def frames(self) -> list[bytes]:
        ident = json.loads(WHOLE)["id"].encode()
        return [frame.replace(ident, self.ident.encode()) for frame in FRAMES]

    async def play(self, connection: NodeConnection) -> None:
        while True:
            asked = await connection.request()
            self.asked.append(f"{asked.method} {asked.target}")
            streams = b'"stream": true' in asked.body or "stream=true" in asked.target
            if asked.target == "/v1/responses" or self.ident in asked.target:
                await self._answer(connection, streams=streams)
            else:
                await connection.send(LOST % (len(NO_SUCH), NO_SUCH))

    async def _answer(self, connection: NodeConnection, *, streams: bool) -> None:
        if not streams:
            await connection.send(JSON % (len(self.whole), self.whole))
            return
        await connection.send(SSE, chunk(self.frames[0]))
        await self.go_on.wait()
        await connection.send(*map(chunk, self.frames[1:]), b"0\r\n\r\n")


def member(keeper: Keeper, more: str = "", play: Play | None = None) -> Member:
    return Member(keeper.name, play or keeper.play, more, SPEAKS)


async def ask(stage: PoolStage, wanted: bytes) -> tuple[int, Any]:
    status, _, body = await stage.ask(wanted)
    return status, json.loads(body)


@pytest.mark.parametrize("stream", [False, True])
async def test_each_is_asked_for_at_its_own_node(stream: bool) -> None:
    a, b = Keeper("a"), Keeper("b")
    async with pooled(
        member(a), member(b), deployment=", policy: round-robin", keys=HASHES
    ) as stage:
        for count in (1, 2):
            client = await stage.connect()
            client.write(make(stream=stream))
            assert (await client.take_through(b"\r\n")).endswith(b"200 OK\r\n")
            await stage.outcome(count)
        for keeper in (b, a):
            keeper.asked.clear()
            path = f"/responses/{keeper.ident}"
            status, found = await ask(stage, request("GET", path))
            assert (status, found["id"]) == (200, keeper.ident)
            await ask(stage, request("GET", f"{path}/input_items?limit=3"))
            await ask(stage, request("POST", f"{path}/cancel"))
            again = make(previous_response_id=keeper.ident)
            assert (await ask(stage, again))[1]["id"] == keeper.ident
            await ask(stage, request("DELETE", path))
            assert keeper.asked == [
                f"GET /v1/responses/{keeper.ident}",
                f"GET /v1/responses/{keeper.ident}/input_items?limit=3",
                f"POST /v1/responses/{keeper.ident}/cancel",
                "POST /v1/responses",
                f"DELETE /v1/responses/{keeper.ident}",
            ]
        assert stage.seen[2].action == "responses.get"
        assert stage.seen[2].model == "m"
        await stage.quiet()


async def test_its_events_are_relayed_again() -> None:
    keeper = Keeper("a")
    async with pooled(member(keeper), keys=HASHES) as stage:
        await ask(stage, make())
        client = await stage.connect()
        path = f"/responses/{keeper.ident}?stream=true&starting_after=0"
        client.write(request("GET", path))
        await client.take_through(b"\r\n\r\n")
        body = b"".join(map(chunk, keeper.frames)) + b"0\r\n\r\n"
        assert await client.take(len(body)) == body
        assert (await stage.outcome(2)).terminal is Terminal.COMPLETED


async def test_nobody_reads_another_s() -> None:
    keeper = Keeper("a")
    async with pooled(member(keeper), keys=HASHES) as stage:
        await ask(stage, make("ann"))
        status, told = await ask(stage, request("GET", f"/responses/{keeper.ident}", who="bob"))
        assert (status, told["error"]["code"]) == (404, "response_not_found")
        assert told["error"]["message"] == f"Response with id '{keeper.ident}' not found."
        status, told = await ask(stage, make("bob", previous_response_id=keeper.ident))
        assert (status, told["error"]["code"]) == (400, "previous_response_not_found")
        assert told["error"]["param"] == "previous_response_id"
        assert keeper.asked == ["POST /v1/responses"], "no node was asked"


async def test_what_is_not_to_be_kept_is_not_remembered() -> None:
    keeper = Keeper("a")
    async with pooled(member(keeper), keys=HASHES) as stage:
        await ask(stage, make(store=False))
        assert (await ask(stage, request("GET", f"/responses/{keeper.ident}")))[0] == 404
        assert len(stage.gateway.dispatcher.response_memory) == 0


async def test_one_under_way_is_cancelled_though_its_node_is_full() -> None:
    keeper = Keeper("a")
    keeper.go_on.clear()
    async with pooled(member(keeper, ", max_streams: 1"), keys=HASHES) as stage:
        client = await stage.connect()
        client.write(make(stream=True, background=True))
        await client.take_through(keeper.ident.encode())
        status, _ = await ask(stage, request("POST", f"/responses/{keeper.ident}/cancel"))
        assert status == 200
        keeper.go_on.set()
        assert (await stage.outcome(2)).terminal is Terminal.COMPLETED


async def test_a_node_that_forgot_says_so_itself() -> None:
    keeper = Keeper("a")
    async with pooled(member(keeper), keys=HASHES) as stage:
        await ask(stage, make())
        ident, keeper.ident = keeper.ident, "resp_other"
        status, told = await ask(stage, request("GET", f"/responses/{ident}"))
        assert (status, told) == (404, json.loads(NO_SUCH))
        assert stage.gateway.dispatcher.slots.states["a"].is_healthy(0.0, ("m", "responses"))


async def test_a_node_that_died_is_said_to_have() -> None:
    keeper = Keeper("a")

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(JSON % (len(keeper.whole), keeper.whole))
        await connection.request()
        connection.abort()

    async with pooled(member(keeper, play=play), keys=HASHES) as stage:
        await ask(stage, make())
        stage.members["a"].play = None
        await stage.members["a"].end()
        status, told = await ask(stage, request("GET", f"/responses/{keeper.ident}"))
        assert (status, told["error"]["code"]) == (502, "node_unreachable")


async def test_whoever_has_no_key_asks_for_none() -> None:
    async with pooled(member(Keeper("a")), keys=HASHES) as stage:
        wanted = b"GET /v1/responses/resp_of_a HTTP/1.1\r\nHost: h\r\n\r\n"
        assert (await ask(stage, wanted))[0] == 401
