"""A prompt that Ollama cut is named in the log, in the status and in the metrics; and the catalogue
shows the usable context, not the trained one."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from casedesk_proxy.admin.pages import describe_status
from tests.server.tables import Table, table

FACTS = {
    "/v1/models": {"object": "list", "data": [{"id": "m", "owned_by": "library"}]},
    "/api/version": {"version": "0.9.3"},
    "/api/tags": {"models": [{"name": "m"}]},
    "/api/ps": {"models": []},
    "/api/show": {
        "capabilities": ["completion", "tools"],
        "model_info": {"general.architecture": "llama", "llama.context_length": 32768},
    },
}
LONG = [{"role": "user", "content": "word " * 15_000}]


def said(prompt_tokens: int) -> bytes:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 1}
    return (
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
        b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\ndata: [DONE]\n\n"
    )


def told_by_status(here: Table) -> dict[str, object]:
    now = asyncio.get_running_loop().time()
    return dict(describe_status(here.gateway, {}, now)["nodes"]["n"])


async def test_a_cut_prompt_is_named_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = []
    async with table(engine="ollama", facts=FACTS, said=said(2048)) as here:
        here.sinks.append(outcomes.append)
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                assert (await here.anthropic(messages=LONG, stream=True))[0] == 200
        assert told_by_status(here)["contexts"] == {
            "m": {"length": None, "trained": 32768, "cut_to": 2048}
        }
        metrics = here.gateway.metrics.render().decode()
    assert 'casedesk_cut_prompts_total{deployment="d",node="n"} 2.0' in metrics
    assert [one.facts()["cut_to"] for one in outcomes] == [2048, 2048]
    (warning,) = [one.message for one in caplog.records if "cut a prompt" in one.message]
    assert "OLLAMA_CONTEXT_LENGTH=32768" in warning
    assert outcomes[0].request_id in warning


async def test_one_in_a_relayed_reply_of_status_201_is_too() -> None:
    outcomes = []
    async with table(engine="ollama", facts=FACTS, said=said(2048), status=201) as here:
        here.sinks.append(outcomes.append)
        request = {"model": "m", "messages": LONG, "stream": True}
        assert (await here.ask("/v1/chat/completions", request))[0] == 201
    assert [one.facts()["cut_to"] for one in outcomes] == [2048]


async def test_a_prompt_that_was_read_whole_is_not() -> None:
    outcomes = []
    async with table(engine="ollama", facts=FACTS, said=said(15_020)) as here:
        here.sinks.append(outcomes.append)
        await here.anthropic(messages=LONG)
        assert "cut_to" not in outcomes[0].facts()


async def test_a_picture_is_no_prompt() -> None:
    show = {"capabilities": ["completion", "vision"]}
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 80_000}
    seen = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    async with table(engine="ollama", facts={**FACTS, "/api/show": show}, said=said(2048)) as here:
        assert (await here.anthropic(messages=seen))[0] == 200
        assert told_by_status(here)["contexts"] == {}


@pytest.mark.parametrize(
    ("more", "length"),
    [
        ({}, None),
        ({"/api/ps": {"models": [{"name": "m", "context_length": 4096}]}}, 4096),
        ({"/api/show": {**FACTS["/api/show"], "parameters": "num_ctx   16384"}}, 16384),
    ],
)
async def test_the_catalogue_shows_what_the_model_runs_with(
    more: dict[str, object], length: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with table(engine="ollama", facts={**FACTS, **more}) as here:
            (model,) = here.gateway.metadata.reported["n"]
            assert model.context_length == length
            advice = told_by_status(here)["advice"]
    warned = [one.message for one in caplog.records if "OLLAMA_CONTEXT_LENGTH" in one.message]
    assert len(warned) == 1
    assert f"node n: {advice[0]}" == warned[0]
    assert ("not known" in warned[0]) is (length is None)


async def test_a_configured_list_of_models_keeps_what_the_node_tells_of_them() -> None:
    async with table(engine="ollama", facts=FACTS, node=", models: [m, other]") as here:
        one, other = here.gateway.metadata.reported["n"]
        assert (one.name, one.trained_length) == ("m", 32768)
        assert (other.name, other.trained_length) == ("other", None)
