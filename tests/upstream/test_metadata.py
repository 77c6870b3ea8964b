"""What nodes are and serve, found out in the background."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.terms import Dialect, Engine
from casedesk_proxy.upstream import metadata as metadata_module
from casedesk_proxy.upstream.metadata import Metadata
from tests.upstream.fake_node import (
    LLAMA,
    LLAMA_MISSING,
    OLLAMA,
    OLLAMA_MISSING,
    VLLM,
    VLLM_MISSING,
    reply,
    running,
)
from tests.upstream.specs import snapshot


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_module, "LEAST", 0.0)


def fresh(slots: dict[str, int | None] | None = None) -> Metadata:
    told = slots if slots is not None else {}
    return Metadata(asyncio.get_running_loop(), told.__setitem__)


async def test_a_node_whose_engine_is_not_configured_is_recognised() -> None:
    slots: dict[str, int | None] = {}
    async with running(LLAMA, LLAMA_MISSING) as llama, running(VLLM, VLLM_MISSING) as vllm:
        found = fresh(slots)
        found.adopt(snapshot(a=f"url: {llama.url}", b=f"url: {vllm.url}"))
        await found.refresh()
    assert found.nodes["a"].engine is Engine.LLAMA_SERVER
    assert found.nodes["b"].engine is Engine.VLLM
    assert Dialect.ANTHROPIC in found.nodes["a"].speaks
    assert slots["a"] == 2
    assert slots["b"] is None
    assert found.reported["a"][0].context_length
    assert found.reported["b"][0].context_length


async def test_what_is_configured_goes_before_what_is_found() -> None:
    async with running(LLAMA, LLAMA_MISSING) as llama:
        found = fresh()
        found.adopt(
            snapshot(
                a=f"url: {llama.url}, speaks: [openai], models: [mine]",
                b=f"url: {llama.url}, engine: vllm",
            )
        )
        await found.refresh()
    assert found.nodes["a"].speaks == (Dialect.OPENAI,)
    assert [model.name for model in found.reported["a"]] == ["mine"]
    assert found.nodes["b"].engine is Engine.VLLM


async def test_a_known_ollama_is_asked_two_cheap_questions_until_its_models_change() -> None:
    async with running(OLLAMA, OLLAMA_MISSING) as ollama:
        found = fresh()
        found.adopt(snapshot(a=f"url: {ollama.url}, engine: ollama"))
        await found.refresh()
        assert "POST /api/show" in ollama.asked
        before = {model.name: model.loaded for model in found.reported["a"]}
        ollama.asked.clear()
        ollama.replies = {**OLLAMA, "GET /api/ps": reply('{"models":[]}')}
        await found.refresh()
        assert ollama.asked == ["GET /api/tags", "GET /api/ps"]
        assert {model.name: model.loaded for model in found.reported["a"]} == dict.fromkeys(
            before, False
        )
        ollama.replies = {**OLLAMA, "GET /api/tags": reply('{"models":[{"name":"new:1b"}]}')}
        await found.refresh()
        assert [model.name for model in found.reported["a"]] == ["new:1b"]


async def test_a_node_that_is_gone_keeps_its_list_and_one_that_moved_does_not() -> None:
    async with running(VLLM, VLLM_MISSING) as vllm:
        found = fresh()
        found.adopt(snapshot(a=f"url: {vllm.url}"))
        await found.refresh()
    assert "a" in found.reported
    await found.refresh()
    assert "a" in found.reported
    found.adopt(snapshot(a="url: http://127.0.0.1:1", b=f"url: {vllm.url}"))
    assert found.reported == {}
    assert found.nodes == {}


async def test_only_a_remote_nodes_list_is_asked_for() -> None:
    listing = {"GET /v1/models": reply('{"data":[{"id":"x"}]}')}
    async with running(listing) as remote:
        found = fresh()
        found.adopt(snapshot(a=f"url: {remote.url}, engine: openai"))
        await found.refresh()
        assert remote.asked == ["GET /v1/models"]
    assert [model.name for model in found.reported["a"]] == ["x"]


async def test_a_node_that_hangs_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    deaf = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = deaf.sockets[0].getsockname()[1]
    async with running(VLLM, VLLM_MISSING) as vllm, deaf:
        found = fresh()
        found.adopt(snapshot(a=f"url: http://127.0.0.1:{port}", b=f"url: {vllm.url}"))
        round_ = asyncio.ensure_future(found.refresh())
        async with asyncio.timeout(2):
            while "b" not in found.reported:
                await asyncio.sleep(0.001)
        assert not round_.done()
        round_.cancel()
        assert found._round is not None
        found._round.cancel()
        await asyncio.gather(round_, found._round, return_exceptions=True)
