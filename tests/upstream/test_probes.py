"""Probes: cheap, only after a silence, and never the only reason to call a busy node unhealthy."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
import trustme

from casedesk_proxy.engines.registry import AUTO, ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.upstream.probes import Prober
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import Step, raw_node
from tests.fixtures.recorded_nodes import RecordedNode, reply, running
from tests.upstream.specs import InForce, snapshot

OK = reply("{}")


@asynccontextmanager
async def probing(
    url: str,
    engine: str,
    interval: str = "10ms",
    hung_after: str = "5s",
    timeout_s: float = 5.0,
) -> AsyncIterator[NodeState]:
    loop = asyncio.get_running_loop()
    keys = f"probe_interval: {interval}, hung_after: {hung_after}"
    # A TLS context takes longer than the loop may be blocked.
    make = functools.partial(snapshot, a=f"url: {url}, engine: {engine}, {keys}")
    config = await asyncio.to_thread(make) if url.startswith("https:") else make()
    dispatcher = Dispatcher(loop)
    dispatcher.apply(config)
    metadata = Metadata(loop, InForce(config))
    metadata.apply(None)
    prober = Prober(
        loop,
        InForce(config),
        dispatcher.slots,
        metadata,
        tick_s=0.005,
        timeout_s=timeout_s,
        first_cooldown_s=0.01,
    )
    prober.apply()
    task = loop.create_task(prober.run())
    try:
        yield dispatcher.slots.states["a"]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(claim: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0.001)


async def asked_twice(node: RecordedNode) -> None:
    count = len(node.asked)
    await until(lambda: len(node.asked) >= count + 2)


PROBED = [one for one in ENGINES.values() if one.probe is not None and one is not AUTO]


@pytest.mark.parametrize("engine", PROBED, ids=str)
async def test_only_the_cheapest_address_of_an_engine_is_asked(engine: EngineSpec) -> None:
    path = f"GET {engine.probe}"
    async with running({path: OK}) as node, probing(node.url, engine.name) as state:
        await asked_twice(node)
        assert set(node.asked) == {path}
        assert state.breaker.is_closed()
        assert state.in_flight == state.served == 0


@pytest.mark.parametrize(
    ("engine", "interval"), [("gemini", "10ms"), ("anthropic", "10ms"), ("vllm", "0")]
)
async def test_who_is_not_to_be_asked_is_not(engine: str, interval: str) -> None:
    async with running({}) as node, probing(node.url, engine, interval):
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert node.asked == []


@pytest.mark.parametrize("status", ["503 Service Unavailable", "502 Bad Gateway"])
async def test_a_node_that_is_loading_is_out_until_it_is_not(status: str) -> None:
    loading = {"GET /health": reply("{}", status)}
    async with running(loading) as node, probing(node.url, "llama-server") as state:
        await until(lambda: not state.breaker.is_closed())
        assert status[:3] in state.last_error
        node.replies = {"GET /health": OK}
        await until(lambda: state.breaker.is_closed())


@pytest.mark.parametrize("status", ["500 X", "504 X"])
async def test_an_ill_answer_neither_takes_a_node_out_nor_brings_it_back(status: str) -> None:
    ill = {"GET /health": reply("{}", status)}
    async with running(ill) as node, probing(node.url, "vllm") as state:
        await asked_twice(node)
        assert state.breaker.is_closed()
        assert status[:3] in state.last_error
        state.record_failure(asyncio.get_running_loop().time(), NodeFault.UNAVAILABLE, "x")
        await asked_twice(node)
        assert not state.breaker.is_closed()


@pytest.mark.parametrize("status", ["404 X", "401 X", "429 X", "501 X", "529 X"])
async def test_whoever_refuses_the_address_lives(status: str) -> None:
    refusing = {"GET /health": reply("{}", status)}
    async with running(refusing) as node, probing(node.url, "vllm") as state:
        state.record_failure(asyncio.get_running_loop().time(), NodeFault.UNAVAILABLE, "x")
        await until(lambda: state.breaker.is_closed())


async def test_a_node_that_is_back_is_found_without_a_request() -> None:
    async with running({"GET /health": OK}) as node:
        port, url = int(node.url.rsplit(":", 1)[1]), node.url
    async with probing(url, "vllm") as state:
        await until(lambda: not state.breaker.is_closed())
        assert "refused" in state.last_error
        async with running({"GET /health": OK}, port=port):
            await until(lambda: state.breaker.is_closed())


async def test_a_node_on_a_socket_is_out_with_the_reason_until_it_listens(tmp_path: Path) -> None:
    path = tmp_path / "vllm.sock"
    async with probing(f"http+unix://{path}", "vllm") as state:
        await until(lambda: not state.breaker.is_closed())
        assert (
            state.last_error
            == f"health check could not reach it: its socket does not exist ({path})"
        )
        async with running({"GET /health": OK}, path=path) as node:
            await until(lambda: state.breaker.is_closed())
            assert node.requests[0].value("host") == b"localhost"


async def test_a_full_backlog_takes_no_busy_node_out(tmp_path: Path) -> None:
    path = tmp_path / "vllm.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        async with probing(f"http+unix://{path}", "vllm", "1h") as state:
            slot = state.take(0.0)
            await until(lambda: state.last_error)
            assert state.breaker.is_closed()
            assert state.last_error == "health check timed out"
            state.release(slot)


async def test_a_node_that_never_ran_is_known_to_be_down_before_anybody_asks_for_it() -> None:
    async with running({}) as node:
        url = node.url
    async with probing(url, "vllm", "1h") as state:
        await until(lambda: not state.breaker.is_closed())


async def test_a_node_that_is_back_is_logged_and_asked_what_it_serves(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    refreshed = 0

    async def refresh(self: Metadata, within: float | None = None) -> None:
        nonlocal refreshed
        refreshed += 1

    monkeypatch.setattr(Metadata, "refresh", refresh)
    caplog.set_level(logging.INFO)
    async with running({}) as node:
        port, url = int(node.url.rsplit(":", 1)[1]), node.url
    async with probing(url, "vllm") as state:
        await until(lambda: not state.breaker.is_closed())
        assert not refreshed
        async with running({"GET /health": OK}, port=port):
            await until(lambda: refreshed)
    assert caplog.messages == [
        "node a is down: connection refused (health check)",
        "node a is up again",
    ]


async def test_a_probe_does_not_excuse_a_node_that_breaks_its_streams() -> None:
    async with running({"GET /health": OK}) as node, probing(node.url, "vllm") as state:
        for _ in range(3):
            state.record_failure(asyncio.get_running_loop().time(), NodeFault.BROKE, "x")
        await asked_twice(node)
        assert not state.breaker.is_closed()


async def test_a_node_that_serves_is_not_asked() -> None:
    async with running({"GET /health": OK}) as node, probing(node.url, "vllm", "20ms") as state:
        talk = Talk()
        state.begin_stream(talk)
        talk.events += 1
        state.is_sending(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        node.requests.clear()
        for _ in range(20):
            talk.events += 1
            await asyncio.sleep(0.005)
        assert len(node.asked) <= 1, "one may have been under way"


async def test_a_node_deep_in_a_prompt_that_answers_no_probe_stays() -> None:
    async with (
        raw_node() as node,
        probing(node.url, "sglang", hung_after="0", timeout_s=0.02) as state,
    ):
        slot = state.take(0.0)
        await until(lambda: len(node.connections) >= 5)
        assert state.breaker.is_closed()
        assert "timed out" in state.last_error
        state.release(slot)
        await until(lambda: not state.breaker.is_closed())
        assert not state.hung


class Talk:
    events = 0


@contextmanager
def stopped() -> Iterator[tuple[str, socket.socket]]:
    """The address of a process that is stopped: its kernel accepts, but it does not answer."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(64)
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}", deaf


async def test_a_node_that_answers_no_probe_is_hung_until_it_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with (
        raw_node(Step.PAUSE, OK, Step.CLOSE) as node,
        probing(node.url, "vllm", hung_after="30ms") as state,
    ):
        await until(lambda: state.hung)
        assert not state.is_healthy(asyncio.get_running_loop().time())
        assert state.breaker.is_closed(), "no request is to try it"
        (probe,) = node.connections
        probe.release()
        await until(lambda: not state.hung)
        assert len(node.connections) == 1, "the probe that waits is the one that is answered"
        assert state.is_healthy(asyncio.get_running_loop().time())
    assert [one.partition(":")[0] for one in caplog.messages] == [
        "node a is hung",
        "node a answers again",
    ]


async def test_a_node_whose_tokens_flow_is_never_hung() -> None:
    with stopped() as (url, _):
        async with probing(url, "vllm", hung_after="300ms") as state:
            await until(lambda: state.hung)
            talk = Talk()
            state.begin_stream(talk)

            def flow() -> bool:
                """A stall of the test is a silence of the node: tokens come with each look."""
                talk.events += 1
                return not state.hung

            await until(flow)
            for _ in range(80):
                assert flow()
                await asyncio.sleep(0.005)
            await until(lambda: state.hung)
            assert state.breaker.is_closed()


@pytest.mark.parametrize("hung", [True, False])
async def test_a_reload_while_many_streams_are_looked_at_ends_the_round(hung: bool) -> None:
    """Its node has left, so it has no due time any more; had it moved, the probe would go to its
    old address."""
    loop = asyncio.get_running_loop()
    current = InForce(snapshot(a="url: http://127.0.0.1:9, engine: vllm"))
    dispatcher = Dispatcher(loop)
    dispatcher.apply(current.snapshot)
    prober = Prober(loop, current, dispatcher.slots, Metadata(loop, current), first_cooldown_s=0)
    prober.apply()
    state = dispatcher.slots.states["a"]
    slots = [state.take(loop.time()) for _ in range(1000)]
    for _ in slots:
        state.begin_stream(Talk())
    state.hung_at = loop.time() if hung else None
    async with aiohttp.ClientSession() as session:
        looks = prober._look_round(session)
        assert looks.send(None) is None, "it has seen some of the streams"
        current.snapshot = snapshot(b="url: http://127.0.0.1:9, engine: vllm")
        dispatcher.apply(current.snapshot)
        prober.apply()
        with suppress(StopIteration):
            while True:
                looks.send(None)
    assert ([*prober._due], [*prober._asking]) == (["b"], [])


async def test_an_internal_error_does_not_end_the_probes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(state: NodeState, now: float) -> bool:
        raise KeyError(state.name)

    async with running({"GET /health": OK}) as node, probing(node.url, "vllm"):
        with monkeypatch.context() as patched:
            patched.setattr(NodeState, "has_resumed", fail)
            await until(lambda: "internal error while nodes were checked" in caplog.text)
        await asked_twice(node)


async def test_a_hung_node_that_is_killed_is_down_and_not_hung() -> None:
    with stopped() as (url, deaf):
        async with probing(url, "vllm", hung_after="20ms") as state:
            await until(lambda: state.hung)
            deaf.close()
            await until(lambda: not state.hung)
            assert not state.breaker.is_closed()


async def test_a_certificate_that_is_not_accepted_is_told() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with raw_node(Step.CLOSE, tls=tls) as node, probing(node.url, "vllm") as state:
        await until(lambda: state.last_error)
    assert state.last_error == (
        "health check could not reach it: its certificate is not trusted; set its tls.ca"
    )


async def test_a_node_that_breaks_off_probes_is_tried_all_the_same() -> None:
    """It accepts connections, so a request may succeed: the cool-down is not prolonged."""
    async with raw_node(Step.CLOSE) as node, probing(node.url, "vllm") as state:
        await until(lambda: state.last_error)
        assert "could not reach it" in state.last_error
        assert not state.breaker.is_closed()
        await until(lambda: state.breaker.allows_request(asyncio.get_running_loop().time()))
