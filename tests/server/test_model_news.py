"""What clients get for models that are new, lost, not known yet, or at a node that leaves."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.waits import WAITS, Waits
from tests.fixtures import raw_client
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.recorded_nodes import RecordedNode, reply, running

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
{nodes}
deployments:
  d: {{nodes: [{names}], auth: none{more}}}
"""
CHAT = "POST /v1/chat/completions"
ANSWER = reply('{"choices":[{"message":{"role":"assistant","content":"hi"}}]}')
LOST = reply('{"error":{"message":"The model `m` does not exist."}}', "404 Not Found")


def listing(*names: str) -> bytes:
    return reply(json.dumps({"object": "list", "data": [{"id": name} for name in names]}))


def config(nodes: dict[str, str], more: str = "") -> str:
    lines = "\n".join(f"  {name}: {{{keys}, probe_interval: 0}}" for name, keys in nodes.items())
    return CONFIG.format(nodes=lines, names=", ".join(nodes), more=more)


@asynccontextmanager
async def serving(
    nodes: dict[str, str], more: str = "", waits: Waits = WAITS
) -> AsyncIterator[Gateway]:
    gateway = Gateway(load_config(config(nodes, more), "news.yaml").config, {}, waits=waits)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def ask(
    gateway: Gateway | int, model: str = "", path: str = "/v1/models"
) -> tuple[int, dict[str, str], Any]:
    """A chat with ``model``; without a model, a GET."""
    url = f"http://127.0.0.1:{gateway}" if isinstance(gateway, int) else gateway.urls[0]
    chat = raw_client.request("/v1/chat/completions", {"model": model, "messages": []})
    async with asyncio.timeout(30):
        reply = await raw_client.ask(url, chat if model else raw_client.request(path))
    return reply.status, reply.fields, json.loads(reply.body)


async def names(gateway: Gateway | int) -> list[str]:
    return [model["id"] for model in (await ask(gateway))[2]["data"]]


async def until_listed(gateway: Gateway, *wanted: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await names(gateway) != list(wanted):
            await asyncio.sleep(0.05)


async def test_whoever_asks_right_after_a_start_gets_the_list_and_not_an_empty_one() -> None:
    """With socket activation the first request can arrive before the process."""
    told = asyncio.Event()

    class Slow(RecordedNode):
        async def answer(self, connection: NodeConnection) -> None:
            await told.wait()
            await super().answer(connection)

    node = Slow({"GET /v1/models": listing("m")}, reply("{}", "404 X"))
    await node.begin()
    public = socket.create_server(("127.0.0.1", 0))
    port = public.getsockname()[1]
    asking = asyncio.ensure_future(names(port))
    text = config({"a": f"url: {node.url}"})
    gateway = Gateway(load_config(text, "news.yaml").config, {}, public=[public])
    starting = asyncio.ensure_future(gateway.start())
    await asyncio.wait({asking}, timeout=0.1)
    assert not asking.done()
    told.set()
    assert await asking == ["m"]
    await starting
    await gateway.stop()
    await node.end()


async def test_a_node_that_hangs_holds_no_list_up_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        nodes = {"a": f"url: 'http://127.0.0.1:{deaf.getsockname()[1]}'"}
        async with serving(nodes, ", models: [m]", Waits(first_look_s=0.05)) as gateway:
            assert await names(gateway) == ["m"]


async def test_configured_names_are_shown_while_all_nodes_are_down() -> None:
    down = {"a": "url: 'http://127.0.0.1:9'", "b": "url: 'http://127.0.0.1:9'"}
    more = ", models: [m, n:7b], prefix: p-, aliases: {fast: m}"
    async with serving(down, more) as gateway:
        assert await names(gateway) == ["fast", "p-m", "p-n:7b"]
        assert (await ask(gateway, path="/v1/models/p-m"))[0] == 200
        status, _, told = await ask(gateway, "p-m")
        assert (status, told["error"]["code"]) == (502, "node_unreachable")


async def test_a_model_that_was_lost_is_gone_from_the_list_after_the_first_that_missed_it() -> None:
    async with (
        running({"GET /v1/models": listing("m", "n"), CHAT: ANSWER}) as node,
        serving({"a": f"url: {node.url}"}, ", aliases: {fast: m}") as gateway,
    ):
        assert await names(gateway) == ["fast", "m", "n"]
        node.replies = {"GET /v1/models": listing("n"), CHAT: LOST}
        status, _, told = await ask(gateway, "fast")
        assert status == 404
        assert "alias 'fast' points to 'm', which node a no longer has" in told["error"]["message"]
        await until_listed(gateway, "n")


async def test_a_model_that_is_new_is_served_at_once_and_listed() -> None:
    async with (
        running({"GET /v1/models": listing("m"), CHAT: ANSWER}) as node,
        serving({"a": f"url: {node.url}"}) as gateway,
    ):
        node.replies = {"GET /v1/models": listing("m", "new"), CHAT: ANSWER}
        async with asyncio.timeout(PATIENCE_S):
            # Within a second after a start nobody is asked again.
            while (await ask(gateway, "new"))[0] != 200:
                await asyncio.sleep(0.05)
        assert await names(gateway) == ["m", "new"]
        assert (await ask(gateway, path="/v1/models/new"))[0] == 200


async def test_whoever_uses_a_node_sees_soon_what_else_is_new_there() -> None:
    async with (
        running({"GET /v1/models": listing("m", "old"), CHAT: ANSWER}) as node,
        serving({"a": f"url: {node.url}"}, waits=Waits(in_use_pause_s=0.1)) as gateway,
    ):
        node.replies = {"GET /v1/models": listing("m", "new"), CHAT: ANSWER}
        assert (await ask(gateway, "m"))[0] == 200
        await until(lambda: [one.name for one in gateway.metadata.reported["a"]] == ["m", "new"])


async def until(claim: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0.005)


async def test_a_model_at_a_node_that_drains_is_said_to_be_there() -> None:
    """Another node is up and only lacks the model."""
    async with (
        running({"GET /v1/models": listing("m"), CHAT: ANSWER}) as a,
        running({"GET /v1/models": listing("other"), CHAT: ANSWER}) as b,
        serving({"a": f"url: {a.url}, drain: true", "b": f"url: {b.url}"}) as gateway,
    ):
        status, headers, told = await ask(gateway, "m")
        assert status == 503
        assert headers["retry-after"] == "10"
        assert (
            told["error"]["message"]
            == "the model 'm' is only at node a, being drained; try again later"
        )
        assert (await ask(gateway, "other"))[0] == 200
