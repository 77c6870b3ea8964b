"""A node's report about its models decides before it gets a request, and which requests it gets
unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.terms import Control
from tests.server.tables import HI, Table, table

PNG = "iVBORw0KGgo="
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
LOOK = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
SEEN = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, PICTURE]}]
TOOL = {"name": "f", "input_schema": {"type": "object"}}
MESSAGE = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"own","usage":{}}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def ollama(*capabilities: str, version: str = "0.9.3") -> dict[str, object]:
    return {
        "/v1/models": {"object": "list", "data": [{"id": "m", "owned_by": "library"}]},
        "/api/version": {"version": version},
        "/api/tags": {"models": [{"name": "m"}]},
        "/api/ps": {"models": []},
        "/api/show": {"capabilities": list(capabilities)},
    }


async def ask_all(here: Table) -> list[tuple[int, dict[str, Any]]]:
    """Send an image by each surface."""
    parts = [{"text": "what is it?"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]
    chat = [{"role": "user", "content": [{"type": "text", "text": "what?"}, LOOK]}]
    replies = [
        await here.ask("/v1/messages", {**HI, "messages": SEEN}),
        await here.ask("/v1beta/models/m:generateContent", {"contents": [{"parts": parts}]}),
        await here.ask("/v1/chat/completions", {"model": "m", "messages": chat}),
    ]
    return [(status, json.loads(body)["error"]) for status, _, body in replies if status != 200]


@pytest.mark.parametrize("speaks", ["[openai]", "[openai, anthropic]", "[anthropic, openai]"])
async def test_a_picture_for_a_model_that_cannot_see_is_refused(speaks: str) -> None:
    facts = ollama("completion", "tools", version="0.33.0")
    async with table(engine="ollama", facts=facts, speaks=speaks) as here:
        anthropic, gemini, openai = await ask_all(here)
        assert not here.asked
    assert {anthropic[0], gemini[0], openai[0]} == {400}
    assert anthropic[1]["message"].startswith("Could not process image")
    assert "messages.0.content.1" in anthropic[1]["message"]
    assert anthropic[1]["type"] == "invalid_request_error"
    assert gemini[1]["status"] == "INVALID_ARGUMENT"
    assert (
        gemini[1]["details"][1]["fieldViolations"][0]["field"] == "contents[0].parts[1].inlineData"
    )
    assert openai[1]["param"] == "messages[0].content[1]"


async def test_a_model_that_sees_gets_it() -> None:
    async with table(engine="ollama", facts=ollama("completion", "vision")) as here:
        assert await ask_all(here) == []
        assert len(here.asked) == 3


async def test_an_ollama_that_tells_no_capabilities_is_asked() -> None:
    async with table(engine="ollama", facts=ollama()) as here:
        assert await ask_all(here) == []


async def test_counting_a_conversation_with_a_picture_goes_on() -> None:
    async with table(engine="ollama", facts=ollama("completion")) as here:
        reply = await here.ask("/v1/messages/count_tokens", {"model": "m", "messages": SEEN})
        assert reply[0] == 200


async def test_tools_for_a_model_that_knows_none() -> None:
    async with table(engine="ollama", facts=ollama("completion")) as here:
        status, _, body = await here.anthropic(tools=[TOOL])
        assert status == 400
        assert b"does not support tools" in body
        assert (await here.anthropic(tools=[TOOL], tool_choice={"type": "none"}))[0] == 200


async def test_an_embedding_model_does_not_chat() -> None:
    async with table(engine="ollama", facts=ollama("embedding")) as here:
        for reply in (await here.anthropic(), await here.gemini(), await here.ask(
            "/v1/chat/completions", {"model": "m", "messages": []})):  # fmt: skip
            assert reply[0] == 400
            assert b"only makes embeddings" in reply[2]
        assert not here.asked


async def test_a_model_that_is_said_not_to_think_is_told_nothing_of_it() -> None:
    async with table(engine="ollama", facts=ollama("completion")) as here:
        status, dropped, _ = await here.anthropic(
            thinking={"type": "enabled", "budget_tokens": 2000}, output_config={"effort": "high"}
        )
        assert (status, dropped) == (200, "output_config.effort, thinking.budget_tokens")
        assert "reasoning_effort" not in here.sent
        # It does not think: there is nothing that was left out.
        assert (await here.anthropic(thinking={"type": "disabled"}))[:2] == (200, "")
        assert (await here.gemini(thinkingBudget=0))[:2] == (200, "")
        assert len(here.asked) == 3


# As they are, or translated.


def is_own(here: Table) -> bool:
    return bool(here.sent["path"] == "/v1/messages")


BOTH = "[openai, anthropic]"
BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 2000}}


@pytest.mark.parametrize("engine", ["llama-server", "ollama", "vllm", "sglang"])
async def test_an_ordinary_request_stays_as_it_is(engine: str) -> None:
    async with table(engine=engine, speaks=BOTH, said=MESSAGE) as here:
        status, _, body = await here.anthropic(stream=True, tools=[TOOL], metadata={"user_id": "u"})
        assert (status, body) == (200, MESSAGE)
        assert is_own(here)


@pytest.mark.parametrize(
    ("engine", "more"),
    [
        ("llama-server", {"output_config": {"format": {"type": "json_schema", "schema": {
            "type": "object"}}}}),
        ("ollama", {"output_config": {"format": {"type": "json_schema", "schema": {
            "type": "object"}}}}),
        ("vllm", {"output_format": {"type": "json_schema", "schema": {"type": "object"}}}),
        ("sglang", {"output_format": {"type": "json_schema", "schema": {"type": "object"}}}),
        ("llama-server", {"thinking": {"type": "disabled"}}),
        ("llama-server", {"tools": [TOOL], "tool_choice": {"type": "none"}}),
        ("ollama", {"tools": [TOOL], "tool_choice": {"type": "none"}}),
    ],
)  # fmt: skip
async def test_what_the_engine_loses_is_translated(engine: str, more: dict[str, Any]) -> None:
    async with table(engine=engine, speaks=BOTH) as here:
        assert (await here.anthropic(**more))[0] == 200
        assert here.sent["path"] == "/v1/chat/completions"


@pytest.mark.parametrize("engine", ["llama-server", "ollama", "vllm", "sglang"])
@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {
            "type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}]}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"mcp_servers": [{"type": "url", "url": "https://x.example", "name": "x"}]},
    ],
)  # fmt: skip
async def test_what_nobody_can_serve_is_refused(engine: str, more: dict[str, Any]) -> None:
    async with table(engine=engine, speaks=BOTH) as here:
        assert (await here.anthropic(**more))[0] == 400
        assert not here.asked


async def test_a_node_that_is_said_to_speak_anthropic_alone() -> None:
    async with table(engine="llama-server", speaks="[anthropic]", said=MESSAGE) as here:
        status, _, body = await here.anthropic(output_config={"format": {"type": "json_schema"}})
        assert status == 400
        assert b"output_config.format" in body
        assert b"speaks" in body
        assert (await here.anthropic(stream=True))[0] == 200


async def test_ollama_counts_nothing() -> None:
    async with table(engine="ollama", speaks=BOTH) as here:
        reply = await here.ask(
            "/v1/messages/count_tokens", {"model": "m", "messages": HI["messages"]}
        )
        assert reply[0] == 200
        assert json.loads(reply[2])["input_tokens"] > 0
        assert not here.asked


@pytest.mark.parametrize("engine", ["openai", "anthropic", "tgi"])
async def test_engines_that_nothing_is_known_of_get_everything(engine: str) -> None:
    async with table(engine=engine, speaks=BOTH, said=MESSAGE) as here:
        await here.anthropic(stream=True, output_format={}, **BUDGET)
        assert is_own(here)


# A wish that may be refused is learnt of by a translated request.


async def test_a_budget_that_is_taken_goes_as_it_is_from_then_on() -> None:
    async with table(speaks=BOTH) as here:
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/messages"):
            assert (await here.anthropic(stream=True, **BUDGET))[0] == 200
            assert here.sent["path"] == path


async def test_a_budget_that_is_refused_is_left_out_from_then_on() -> None:
    told = {"error": {"message": "thinking_token_budget is set but ...", "code": 400}}
    judge = lambda asked: (  # noqa: E731
        (200, told) if "thinking_token_budget" in asked or asked["path"] == "/v1/messages" else None
    )
    async with table(judge, speaks=BOTH) as here:
        for times in (2, 3):
            assert (await here.anthropic(stream=True, **BUDGET))[0] == 200
            assert len(here.asked) == times
        assert here.refused == {Control.BUDGET}


async def test_what_translation_would_refuse_goes_as_it_is() -> None:
    # A kind of block that vLLM knows, and no other node.
    system = {"role": "system", "content": [{"type": "tool_addition", "tool": {}}]}
    async with table(speaks=BOTH, said=MESSAGE) as here:
        reply = await here.anthropic(stream=True, messages=[*HI["messages"], system], **BUDGET)
        assert reply[0] == 200
        assert is_own(here)


@pytest.mark.parametrize(("mode", "own"), [("none", False), ("effort", False), ("all", True)])
async def test_the_operator_s_word_holds_for_both_routes(mode: str, own: bool) -> None:
    async with table(speaks=BOTH, node=f", thinking: {mode}") as here:
        await here.anthropic(stream=True, **BUDGET)
        assert is_own(here) is own
