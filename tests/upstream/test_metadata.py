"""The engines and models of nodes, found in the background."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from casedesk_proxy.engines.llama_server import SPEC as LLAMA_SERVER
from casedesk_proxy.engines.vllm import SPEC as VLLM_SPEC
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.metadata import Metadata
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection, raw_node
from tests.fixtures.recorded_nodes import (
    LLAMA,
    LLAMA_MISSING,
    OLLAMA,
    OLLAMA_MISSING,
    VLLM,
    VLLM_MISSING,
    reply,
    running,
)
from tests.upstream.specs import InForce, put, snapshot


def fresh(slots: dict[str, int | None] | None = None, **pauses: float) -> Metadata:
    told = slots if slots is not None else {}
    loop = asyncio.get_running_loop()
    return Metadata(loop, InForce(), told.__setitem__, **{"min_pause_s": 0.0, **pauses})


async def test_a_node_whose_engine_is_not_configured_is_recognised() -> None:
    slots: dict[str, int | None] = {}
    async with running(LLAMA, LLAMA_MISSING) as llama, running(VLLM, VLLM_MISSING) as vllm:
        found = fresh(slots)
        put(found, snapshot(a=f"url: {llama.url}", b=f"url: {vllm.url}"))
        await found.refresh()
    assert found.nodes["a"].engine is LLAMA_SERVER
    assert found.nodes["b"].engine is VLLM_SPEC
    assert Dialect.ANTHROPIC in found.nodes["a"].speaks
    assert slots["a"] == 2
    assert slots["b"] is None
    assert found.reported["a"][0].context_length
    assert found.reported["b"][0].context_length


async def test_a_round_looks_at_one_node_after_the_other() -> None:
    async with running(LLAMA, LLAMA_MISSING) as first, running(VLLM, VLLM_MISSING) as second:
        found = fresh(stagger_s=600)
        put(found, snapshot(a=f"url: {first.url}", b=f"url: {second.url}"))
        await found.refresh(within_s=0.0)
        while "a" not in found.reported:
            await asyncio.sleep(0.001)
        assert second.requests == [], "its turn comes later"
        await found.close()
    assert found.reported.keys() == {"a"}


async def test_what_is_configured_goes_before_what_is_found() -> None:
    async with running(LLAMA, LLAMA_MISSING) as llama:
        found = fresh()
        put(
            found,
            snapshot(
                a=f"url: {llama.url}, speaks: [openai], models: [mine]",
                b=f"url: {llama.url}, engine: vllm",
            ),
        )
        await found.refresh()
    assert found.nodes["a"].speaks == (Dialect.OPENAI,)
    assert [model.name for model in found.reported["a"]] == ["mine"]
    assert found.nodes["b"].engine is VLLM_SPEC


async def test_a_known_ollama_is_asked_two_cheap_questions_until_its_models_change() -> None:
    async with running(OLLAMA, OLLAMA_MISSING) as ollama:
        found = fresh()
        put(found, snapshot(a=f"url: {ollama.url}, engine: ollama"))
        await found.refresh()
        assert "POST /api/show" in ollama.asked
        before = {model.name: model.loaded for model in found.reported["a"]}
        ollama.requests.clear()
        ollama.replies = {**OLLAMA, "GET /api/ps": reply('{"models":[]}')}
        await found.refresh()
        assert ollama.asked == ["GET /api/tags", "GET /api/ps"]
        assert {model.name: model.loaded for model in found.reported["a"]} == dict.fromkeys(
            before, False
        )
        ollama.replies = {**OLLAMA, "GET /api/tags": reply('{"models":[{"name":"new:1b"}]}')}
        await found.refresh()
        assert [model.name for model in found.reported["a"]] == ["new:1b"]


@pytest.mark.parametrize("empty", ['{"data":[]}', '{"object":"list","data":null}'])
async def test_a_node_that_has_lost_its_last_model_has_none(empty: str) -> None:
    async with running({"GET /v1/models": reply('{"data":[{"id":"x"}]}')}) as node:
        found = fresh()
        put(found, snapshot(a=f"url: {node.url}"))
        await found.refresh()
        for unclear in ("{}", '{"data":{}}', "<html>"):
            node.replies = {"GET /v1/models": reply(unclear)}
            await found.refresh()
            assert [model.name for model in found.reported["a"]] == ["x"]
        node.replies = {"GET /v1/models": reply(empty)}
        await found.refresh()
        assert found.reported == {"a": ()}


async def test_an_ollama_without_models_any_more() -> None:
    async with running(OLLAMA, OLLAMA_MISSING) as ollama:
        found = fresh()
        put(found, snapshot(a=f"url: {ollama.url}, engine: ollama"))
        await found.refresh()
        none = {"GET /api/tags": reply('{"models":[]}'), "GET /v1/models": reply('{"data":null}')}
        ollama.replies = {**OLLAMA, **none}
        await found.refresh()
        assert found.reported == {"a": ()}


async def test_a_node_that_lists_nothing_from_the_first_may_have_any_model() -> None:
    async with running({"GET /v1/models": reply('{"data":[]}')}) as node:
        found = fresh()
        put(found, snapshot(a=f"url: {node.url}"))
        await found.refresh()
        assert found.reported == {}


async def test_slots_are_known_while_a_node_loads_and_forgotten_when_it_has_moved() -> None:
    slots: dict[str, int | None] = {}
    async with running(LLAMA, LLAMA_MISSING) as llama:
        found = fresh(slots)
        put(found, snapshot(a=f"url: {llama.url}"))
        await found.refresh()
        loading = reply('{"error":{}}', "503 Loading").replace(
            b"\r\n", b"\r\nServer: llama.cpp\r\n", 1
        )
        llama.replies = {"GET /props": loading, "GET /v1/models": loading}
        await found.refresh()
        assert slots == {"a": 2}
        put(found, snapshot(a=f"url: {llama.url}, engine: openai"))
        assert slots == {"a": None}


async def test_a_node_over_which_we_stumble_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(VLLM, VLLM_MISSING) as vllm:
        found = fresh()
        put(found, snapshot(a=f"url: {vllm.url}", b=f"url: {vllm.url}"))
        look = found._look_at

        async def stumble(node: NodeSpec) -> None:
            if node.name == "a":
                raise RuntimeError("a bug")
            await look(node)

        monkeypatch.setattr(found, "_look_at", stumble)
        await found.refresh()
    assert set(found.reported) == {"b"}
    assert "internal error while querying node a" in caplog.text


async def test_a_node_that_is_gone_keeps_its_list_and_one_that_moved_does_not() -> None:
    async with running(VLLM, VLLM_MISSING) as vllm:
        found = fresh()
        put(found, snapshot(a=f"url: {vllm.url}"))
        await found.refresh()
    assert "a" in found.reported
    await found.refresh()
    assert "a" in found.reported
    put(found, snapshot(a="url: http://127.0.0.1:1", b=f"url: {vllm.url}"))
    assert found.reported == {}
    assert found.nodes == {}


async def test_only_a_remote_nodes_list_is_asked_for() -> None:
    listing = {"GET /v1/models": reply('{"data":[{"id":"x"}]}')}
    async with running(listing) as remote:
        found = fresh()
        put(found, snapshot(a=f"url: {remote.url}, engine: openai"))
        await found.refresh()
        assert remote.asked == ["GET /v1/models"]
    assert [model.name for model in found.reported["a"]] == ["x"]


@pytest.mark.parametrize("embeds", [True, False])
async def test_a_llama_server_is_asked_for_embeddings_of_nothing(embeds: bool) -> None:
    told = '{"error":{"code":400,"message":"\\"input\\" or \\"content\\" must be provided"}}'
    asked = {"POST /v1/embeddings": reply(told, "400 Bad Request")} if embeds else {}
    async with running({**LLAMA, **asked}, LLAMA_MISSING) as llama:
        found = fresh()
        put(found, snapshot(a=f"url: {llama.url}"))
        await found.refresh()
        assert "POST /v1/embeddings" in llama.asked
    (model,) = found.reported["a"]
    assert (model.also_embeds, model.embeds) == (embeds, False)


async def test_a_node_that_hangs_delays_no_other() -> None:
    async with running(VLLM, VLLM_MISSING) as vllm, raw_node() as deaf:
        found = fresh()
        put(found, snapshot(a=f"url: {deaf.url}", b=f"url: {vllm.url}"))
        round_ = asyncio.ensure_future(found.refresh())
        async with asyncio.timeout(PATIENCE_S):
            while "b" not in found.reported:
                await asyncio.sleep(0.001)
        assert not round_.done()
        round_.cancel()
        assert found._round is not None
        found._round.cancel()
        await asyncio.gather(round_, found._round, return_exceptions=True)


def listing(*names: str) -> bytes:
    return reply(json.dumps({"data": [{"id": name} for name in names]}))


async def until(claim: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("how", ["failed", "used"])
async def test_a_use_of_a_node_brings_its_new_list(how: str) -> None:
    async with running({"GET /v1/models": listing("old")}) as node:
        found = fresh(in_use_pause_s=0.05)
        put(found, snapshot(a=f"url: {node.url}", b="url: http://127.0.0.1:9"))
        await found.refresh()
        node.replies = {"GET /v1/models": listing("new")}
        for _ in range(100):
            getattr(found, how)("a")
        await until(lambda: [model.name for model in found.reported["a"]] == ["new"])
        looks = sum(one == "GET /v1/models" for one in node.asked)
        assert looks <= 4, "once for a hundred uses"
        await found.close()


async def test_a_node_in_use_is_not_asked_for_what_is_configured_or_counted() -> None:
    async with running({"GET /v1/models": listing("old")}) as node:
        found = fresh()
        many = ", ".join(f"m{number}" for number in range(3))
        put(
            found,
            snapshot(
                a=f"url: {node.url}, engine: openai, models: [{many}]",
                b=f"url: {node.url}, engine: gemini",
                c=f"url: {node.url}, engine: anthropic",
            ),
        )
        for name in ("a", "b", "c", "nobody"):
            found.used(name)
            assert name not in found._agenda
        await found.close()
    assert node.asked == []


async def test_nothing_replaces_a_list_that_is_the_same() -> None:
    """Otherwise all plans that used the list would have to be made again."""
    async with running(LLAMA, LLAMA_MISSING) as llama:
        found = fresh()
        put(found, snapshot(a=f"url: {llama.url}"))
        await found.refresh()
        reported, nodes = found.reported, found.nodes
        await found.refresh()
        assert found.reported is reported
        assert found.nodes is nodes


async def test_the_first_look_is_waited_for_once_and_never_for_long() -> None:
    go_on = asyncio.Event()

    async def slow(connection: NodeConnection) -> None:
        await go_on.wait()

    async with raw_node(play=slow) as node:
        found = fresh()
        put(found, snapshot(a=f"url: {node.url}", b="url: http://127.0.0.1:9, models: [m]"))
        await found.first_look(["b"], 60)
        assert found._round is None, "its models are configured"
        await asyncio.wait_for(found.first_look(["a", "b"], 0.01), PATIENCE_S)
        waiting = asyncio.ensure_future(found.first_look(["a"], 60))
        await asyncio.sleep(0)
        assert not waiting.done()
        go_on.set()
        await asyncio.wait_for(waiting, 30)
        assert found.reported.keys() == {"b"}, "it told nothing, but it was asked"
        found._round = None
        await found.first_look(["a"], 60)
        assert found._round is None
        await found.close()


async def test_a_node_that_has_moved_is_waited_for_anew() -> None:
    found = fresh()
    put(found, snapshot(a="url: http://127.0.0.1:9"))
    await found.first_look(["a"], 30)
    async with running({"GET /v1/models": listing("m")}) as node:
        put(found, snapshot(a=f"url: {node.url}"))
        await found.first_look(["a"], 30)
        assert [model.name for model in found.reported["a"]] == ["m"]
    await found.close()
