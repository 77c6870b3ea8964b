"""A stopped process: its kernel accepts connections and requests, but nothing is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from casedesk_proxy.admin.pages import describe_status, is_ready
from casedesk_proxy.config.load import load_config
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.waits import Waits
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import ask, request
from tests.fixtures.separate_node import ANSWER, SeparateNode, separate_node

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes: {{{nodes}}}
deployments: {{d: {{nodes: [{names}], auth: none, policy: {policy}}}}}
"""
NODE = (
    '{name}: {{url: "http://127.0.0.1:{port}", engine: openai, models: [m],'
    " probe_interval: 100ms, hung_after: {hung_after}}}"
)


class Stage:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def state(self, name: str) -> NodeState:
        return self.gateway.dispatcher.slots.states[name]

    def ask(self, word: str = "hi") -> asyncio.Task[tuple[int, bytes]]:
        return asyncio.get_running_loop().create_task(self._ask(word))

    async def _ask(self, word: str) -> tuple[int, bytes]:
        body = {"model": "m", "messages": [{"role": "user", "content": word}]}
        reply = await ask(self.gateway.urls[0], request("/v1/chat/completions", body))
        return reply.status, reply.body


@asynccontextmanager
async def staged(policy: str = "least-streams", **nodes: SeparateNode) -> AsyncIterator[Stage]:
    text = CONFIG.format(
        # Only ``a`` is ever stopped. Of a busy machine's others none is taken for hung.
        nodes=", ".join(
            NODE.format(name=name, port=one.port, hung_after="300ms" if name == "a" else "1h")
            for name, one in nodes.items()
        ),
        names=", ".join(nodes),
        policy=policy,
    )
    gateway = Gateway(load_config(text, "hung.yaml").config, {}, waits=Waits(probe_tick_s=0.02))
    await gateway.start()
    try:
        yield Stage(gateway)
    finally:
        await gateway.stop()


async def until(claim: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("policy", ["least-streams", "ordered", "round-robin", "prefix-affinity"])
async def test_a_stopped_node_gets_nothing_new_and_what_waits_there_goes_on(policy: str) -> None:
    async with separate_node() as a, separate_node() as b, staged(policy, a=a, b=b) as stage:
        one, two = stage.state("a"), stage.state("b")
        a.stop()
        waiting = []
        async with asyncio.timeout(PATIENCE_S):
            while not one.hung:
                # Whoever comes before it is known, to a, waits.
                waiting.append(stage.ask())
                await asyncio.sleep(0.02)
        before = one.served
        for _ in range(20):
            assert await asyncio.wait_for(stage.ask(), PATIENCE_S) == (200, ANSWER)
        assert one.served == before
        assert two.served >= 20
        told = describe_status(stage.gateway, {}, asyncio.get_running_loop().time())["nodes"]["a"]
        assert (told["hung"], told["healthy"]) == (True, False)
        assert one.breaker.is_closed()
        a.go_on()
        for request in waiting:
            assert await asyncio.wait_for(request, PATIENCE_S) == (200, ANSWER)
        await until(lambda: not one.hung)
        await until(lambda: one.in_flight == 0)
        for _ in range(20):
            await stage.ask()
        assert one.served > before or policy == "prefix-affinity"


async def test_a_stopped_node_that_is_the_only_one_is_asked_all_the_same() -> None:
    async with separate_node() as a, staged(a=a) as stage:
        a.stop()
        await until(lambda: stage.state("a").hung)
        assert not is_ready(stage.gateway, asyncio.get_running_loop().time())
        asked = stage.ask()
        await until(lambda: stage.state("a").in_flight)
        a.go_on()
        assert await asyncio.wait_for(asked, PATIENCE_S) == (200, ANSWER)
        await until(lambda: not stage.state("a").hung)


async def test_a_node_that_does_one_thing_at_a_time_is_spared_while_another_is_free() -> None:
    """During a long prompt the node answers no probe. Its streams continue, and it serves again
    after the prompt."""
    async with (
        separate_node(single=True) as a,
        separate_node() as b,
        staged("ordered", a=a, b=b) as stage,
    ):
        one = stage.state("a")
        await until(lambda: one.last_heard_at > 0)
        held = stage.ask("hold")
        await until(lambda: one.hung)
        assert not held.done()
        assert await asyncio.wait_for(stage.ask(), PATIENCE_S) == (200, ANSWER)
        assert stage.state("b").served == 1
        a.release()
        assert await asyncio.wait_for(held, PATIENCE_S) == (200, ANSWER)
        await until(lambda: not one.hung)
        assert await asyncio.wait_for(stage.ask(), PATIENCE_S) == (200, ANSWER)
        assert one.served == 2


async def test_requests_queue_at_a_busy_node_that_is_the_only_one() -> None:
    async with separate_node(single=True) as a, staged(a=a) as stage:
        held = stage.ask("hold")
        await until(lambda: stage.state("a").hung)
        behind = [stage.ask() for _ in range(3)]
        await until(lambda: stage.state("a").in_flight == 4)
        a.release()
        for request in (held, *behind):
            assert await asyncio.wait_for(request, PATIENCE_S) == (200, ANSWER)
