"""A request's way to its nodes, with nodes that are played by the test."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.errors import NoNode, NotFound
from casedesk_proxy.planning.admission import Admitted, admit
from casedesk_proxy.planning.plan import plan_request
from casedesk_proxy.planning.route import PlanInputs, find_none
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.response_memory import ResponseMemory
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.server import plans
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.forwarding import Forwarder
from casedesk_proxy.server.pending import PendingRequest, Timing
from casedesk_proxy.server.waits import WAITS
from casedesk_proxy.terms import Action, ModelInfo
from casedesk_proxy.upstream.attempts import Attempts
from tests.fixtures.raw_client import connect
from tests.fixtures.raw_node import NodeConnection
from tests.server.clients import FakeClient, request_of
from tests.server.gateways import SSE, chat, chunk, staged
from tests.upstream.specs import snapshot

WIRE = (
    b"POST /proxy/d/openai/v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
)
BODY = b'{"model": "%b", "messages": [{"role": "user", "content": "hi"}]}'


class Nodes:
    """The dispatcher and the metadata; no node can be reached."""

    def __init__(self) -> None:
        self.control_memory = ControlMemory()
        self.response_memory = ResponseMemory()
        self.reported = {"n": (ModelInfo("m"),)}
        self.nodes: dict[str, Any] = {}
        self.opened = 0
        self.refreshed = 0

    def is_available(self, node: str, model: str) -> bool:
        return True

    def new_attempts(self, key: str) -> Attempts:
        return Attempts(key, self.control_memory)

    async def open(self, *_: object) -> Any:
        self.opened += 1
        raise NoNode("none is there")

    async def refresh(self, wait: float) -> None:
        self.refreshed += 1


async def forward(nodes: Nodes, model: bytes) -> Exchange:
    loop = asyncio.get_running_loop()
    found = snapshot(n="url: 'http://127.0.0.1:9', engine: openai, models: [m]")
    request = request_of(FakeClient(), WIRE)
    admitted = admit(found, request.head, Hosts((), ("h",), strict=False))
    assert isinstance(admitted, Admitted)
    exchange = Exchange("id-1", loop.time(), "POST", "/", "192.0.2.7")
    upstream = SimpleNamespace(dispatcher=nodes, metadata=nodes, turns=None)
    forwarder = Forwarder(loop, cast(Any, upstream))
    pending = PendingRequest(request, exchange, admitted, found, Timing(), BODY % model)
    error = NotFound if model == b"unknown" else NoNode
    with pytest.raises(error):
        await forwarder.forward(pending)
    return exchange


async def test_an_error_before_a_reply_is_the_handlers() -> None:
    nodes = Nodes()
    exchange = await forward(nodes, b"m")
    assert (nodes.opened, nodes.refreshed) == (1, 0)
    assert (exchange.planned.asked, exchange.planned.model) == ("m", "m")
    assert exchange.planned.overhead is not None
    assert exchange.status == 0


async def test_for_an_unknown_model_the_nodes_lists_are_read_anew_once() -> None:
    nodes = Nodes()
    exchange = await forward(nodes, b"unknown")
    assert (nodes.opened, nodes.refreshed) == (0, 1)
    assert exchange.attempts is not None
    assert exchange.attempts.count == 0


async def test_a_model_that_is_new_since_is_planned_anew() -> None:
    class Pulling(Nodes):
        async def refresh(self, wait: float) -> None:
            await super().refresh(wait)
            self.reported = {"n": (ModelInfo("m"), ModelInfo("pulled"))}

    nodes = Pulling()
    exchange = await forward(nodes, b"pulled")
    assert (nodes.opened, nodes.refreshed) == (1, 1)
    assert exchange.planned.model == "pulled"


async def test_who_is_not_served_by_the_same_lists_is_looked_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned = []

    def count(*given: Any) -> Any:
        planned.append(given)
        return plan_request(*given)

    monkeypatch.setattr(plans, "plan_request", count)
    await forward(Nodes(), b"unknown")
    assert len(planned) == 1


async def test_each_fact_of_a_plan_stands_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The facts are combined by their order, see `PlanMaker`."""
    planned: list[PlanInputs] = []

    def note(*given: Any) -> Any:
        planned.append(given[-1])
        return plan_request(*given)

    monkeypatch.setattr(plans, "plan_request", note)
    nodes = Nodes()
    exchange = await forward(nodes, b"m")
    (given,) = planned
    assert (given.call.action, given.raw) == (Action.CHAT, BODY % b"m")
    assert given.headers[0] == (b"Host", b"h")
    assert given.request_id == exchange.request_id
    assert given.reported is nodes.reported
    assert given.nodes is nodes.nodes
    assert given.refused is nodes.control_memory.refused
    assert given.taken is nodes.control_memory.taken
    assert given.without is exchange.attempts.without
    assert given.now > 0
    assert given.find_keeper is find_none
    assert (given.form, given.marked) == (None, None)
    # Placements are those of one head, by the model's name; shared ones are of all heads.
    assert given.placements is not given.shared_placements
    assert given.placements.get("m") is not None
    assert given.shared_placements.get("m") is None  # type: ignore[arg-type]


_EVENT = b'data: {"choices":[{"delta":{"content":"w"},"finish_reason":"stop"}]}\n\n'
REPLIES = {
    "a stream": (chat(), "", SSE + chunk(_EVENT) + b"0\r\n\r\n"),
    "a stream with keep-alives": (
        chat(), ", heartbeat: 20ms, heartbeat_verbatim: true", SSE + chunk(_EVENT) + b"0\r\n\r\n",
    ),
    "a whole reply": (
        chat(stream=False), "",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ),
    "an error": (
        chat(stream=False), "", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    ),
    "a protocol of its own": (
        b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REPLIES)
async def test_a_reply_to_a_client_whose_parting_waits_for_its_turn(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With a budget of zero each turn ends one client of the crowd; the node answers meanwhile."""
    count = 30
    asked, deployment, reply = REPLIES[kind]
    answered = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await answered.wait()
        await connection.send(reply)
        await connection.until_gone()

    waits = replace(WAITS, turn_budget_s=0)
    async with staged(play, deployment=deployment, waits=waits) as stage, AsyncExitStack() as open:
        url = f"http://127.0.0.1:{stage.port}"
        ended: list[ExchangeRecord] = []
        stage.sinks.append(ended.append)
        clients = [await open.enter_async_context(connect(url)) for _ in range(count)]
        for client in clients:
            client.write(asked)
        while stage.in_flight() < count or len(stage.connections) < count:
            await asyncio.sleep(0.001)
        for client in clients:
            client.reset()
        while not all(one.client.has_left for one in stage.gateway._public.connections):
            await asyncio.sleep(0)
        assert len(ended) < count / 2, "most of them wait for their turn"
        answered.set()
        while len(ended) < count:
            await asyncio.sleep(0.001)
        assert {record.terminal for record in ended} == {Terminal.CLIENT_GONE}
        assert stage.in_flight() == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
