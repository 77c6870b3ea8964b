"""A thinking control that a model refuses causes no failed request: it is left out, named, and
remembered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from casedesk_proxy.admin.pages import describe_status
from casedesk_proxy.terms import Control
from tests.server.tables import CONFIG, HI, Judge, table

BUDGET = {"error": {"message": "thinking_token_budget is set but reasoning_config is not "
          "configured. Please set --reasoning-parser.", "type": "BadRequestError",
          "param": None, "code": 400}}  # fmt: skip
MISTRAL = {"error": {"message": "chat_template is not supported for Mistral tokenizers. "
           "(parameter=chat_template)", "param": "chat_template", "code": 400}}  # fmt: skip
OLLAMA = {"error": {"message": '"m" does not support thinking', "type": "api_error"}}
HARMONY = {"object": "error", "message": "Harmony does not support reasoning effort none",
           "type": "BadRequestError", "code": 400}  # fmt: skip
PYDANTIC = {"detail": [{"type": "literal_error", "loc": ["body", "reasoning_effort"],
            "msg": "Input should be 'low', 'medium' or 'high'"}]}  # fmt: skip
UNKNOWN = {"error": {"message": "Unrecognized request argument supplied: reasoning_effort",
           "type": "invalid_request_error"}}  # fmt: skip


def refusing(field: str, status: int, error: object) -> Judge:
    return lambda asked: (status, error) if field in asked else None


BUDGETED = {"thinking": {"type": "enabled", "budget_tokens": 2000}}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_budget_that_is_refused_is_asked_for_as_an_effort(
    status: int, stream: bool
) -> None:
    async with table(refusing("thinking_token_budget", status, BUDGET)) as here:
        assert (await here.anthropic(stream=stream, **BUDGETED))[0] == 200
        assert len(here.asked) == 2
        assert "thinking_token_budget" not in here.sent
        assert here.sent["reasoning_effort"] == "medium"
        assert here.refused == {Control.BUDGET}
        # From now on it is known, for every surface.
        reply = await here.gemini(stream=stream, thinkingBudget=500)
        assert reply[0] == 200
        assert len(here.asked) == 3
        assert here.sent["reasoning_effort"] == "minimal"


@pytest.mark.parametrize("status", [400, 422, 500, 200])
async def test_a_level_that_is_refused_is_left_out_and_named(status: int) -> None:
    async with table(refusing("reasoning_effort", status, UNKNOWN), "openai") as here:
        for times in (2, 3):
            code, dropped, _ = await here.anthropic(
                stream=True, thinking={"type": "adaptive"}, output_config={"effort": "high"}
            )
            assert (code, dropped, len(here.asked)) == (200, "output_config.effort", times)
        code, dropped, _ = await here.gemini(thinkingLevel="HIGH")
        assert (code, dropped) == (200, "generationConfig.thinkingConfig.thinkingLevel")
        assert len(here.asked) == 4


async def test_a_level_that_only_some_know_becomes_the_nearest_one() -> None:
    def judge(asked: dict[str, Any]) -> tuple[int, object] | None:
        known = ("low", "medium", "high", None)
        return None if asked.get("reasoning_effort") in known else (422, PYDANTIC)

    async with table(judge) as here:
        reply = await here.anthropic(
            thinking={"type": "adaptive"}, output_config={"effort": "xhigh"}
        )
        assert reply[0] == 200
        assert [one["reasoning_effort"] for one in here.asked] == ["xhigh", "high"]
        assert here.refused == {Control.LEVELS}


async def test_a_client_that_says_nothing_of_thinking_gets_its_answer() -> None:
    async with table(refusing("chat_template_kwargs", 400, MISTRAL)) as here:
        for times in (2, 3):
            code, dropped, _ = await here.anthropic()
            assert (code, dropped, len(here.asked)) == (200, "", times)
        # Who asks for it learns that it cannot be had.
        assert (await here.anthropic(thinking={"type": "disabled"}))[:2] == (200, "thinking.type")
        reply = await here.gemini(thinkingBudget=0)
        assert reply[:2] == (200, "generationConfig.thinkingConfig.thinkingBudget")
        assert len(here.asked) == 5


@pytest.mark.parametrize("status", [400, 500])
async def test_gpt_oss_thinks_all_the_same(status: int) -> None:
    def judge(asked: dict[str, Any]) -> tuple[int, object] | None:
        return (status, HARMONY) if asked.get("reasoning_effort") == "none" else None

    async with table(judge, "sglang") as here:
        assert (await here.anthropic())[0] == 200
        assert (await here.anthropic(output_config={"effort": "low"}, **BUDGETED))[0] == 200
        assert here.sent["reasoning_effort"] == "low"
        assert here.refused == {Control.OFF}


async def test_a_model_that_does_not_think_at_all() -> None:
    def judge(asked: dict[str, Any]) -> tuple[int, object] | None:
        return (400, OLLAMA) if asked.get("reasoning_effort", "none") != "none" else None

    async with table(judge, "ollama") as here:
        assert (await here.anthropic(**BUDGETED))[:2] == (200, "thinking.budget_tokens")
        assert (await here.gemini(stream=True, thinkingLevel="LOW"))[0] == 200
        assert len(here.asked) == 3


async def test_a_refusal_without_a_reason_is_tried_without_the_wish() -> None:
    judge = refusing("reasoning_effort", 400, {"error": {"message": "Bad request"}})
    async with table(judge, "openai") as here:
        assert (await here.gemini(thinkingLevel="LOW"))[0] == 200
        assert here.refused == {Control.EFFORT}


async def test_nothing_is_learnt_where_it_did_not_help() -> None:
    always = {"error": {"message": "reasoning_effort and all else are wrong"}}
    async with table(lambda asked: (400, always), "openai") as here:
        assert (await here.gemini(thinkingLevel="LOW"))[0] == 400
        assert len(here.asked) == 2
        assert not here.refused


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "This model's maximum context length is 8 tokens", "code": 400}},
        {"error": {"message": "messages: roles must alternate"}},
        {"detail": [{"loc": ["body", "max_tokens"], "msg": "too large"}]},
    ],
)
async def test_another_reason_is_told_at_once(error: object) -> None:
    async with table(lambda asked: (400, error)) as here:
        assert (await here.anthropic(**BUDGETED))[0] == 400
        assert len(here.asked) == 1


async def test_a_client_is_answered_once_there_is_nothing_left_to_leave_out() -> None:
    async with table(lambda asked: (400, BUDGET)) as here:
        assert (await here.anthropic(output_config={"effort": "max"}, **BUDGETED))[0] == 400
        assert len(here.asked) <= 3


async def test_the_node_is_not_blamed_for_a_wish() -> None:
    async with table(refusing("thinking_token_budget", 200, BUDGET)) as here:
        await here.gemini(thinkingBudget=100)
        now = asyncio.get_running_loop().time()
        told = describe_status(here.gateway, {}, now)["nodes"]["n"]
        assert told["healthy"]
        assert not told["last_error"]
        assert told["in_flight"] == 0
        assert told["left_out"] == {"m": ["budget"]}


async def test_a_reload_forgets() -> None:
    async with table(refusing("thinking_token_budget", 400, BUDGET)) as here:
        await here.gemini(thinkingBudget=100)
        assert here.refused
        here.reload(
            CONFIG.format(
                port=here.port,
                engine="vllm",
                node="",
                speaks="[openai]",
                models="models: [m],",
                deployment="",
            )
        )
        assert not here.refused
        assert (await here.gemini(thinkingBudget=100))[0] == 200
        assert len(here.asked) == 4


@pytest.mark.parametrize(
    ("thinking", "sent"),
    [
        ("none", {}),
        ("effort", {"reasoning_effort": "none"}),
        ("{m: effort}", {"reasoning_effort": "none"}),
        ('{"*": none, m: effort}', {"reasoning_effort": "none"}),
        ('{"other*": none}', {"chat_template_kwargs": {"enable_thinking": False}}),
        ("all", {"chat_template_kwargs": {"enable_thinking": False}}),
    ],
)
async def test_the_configuration_decides(thinking: str, sent: dict[str, Any]) -> None:
    async with table(lambda asked: None, node=f", thinking: {thinking}") as here:
        reply = await here.gemini(thinkingBudget=0)
        assert reply[0] == 200
        left = {"path", "model", "messages", "stream", "stream_options"}
        assert {name: value for name, value in here.sent.items() if name not in left} == sent
        assert bool(reply[1]) is (thinking == "none")


async def test_a_refusal_is_the_client_s_where_the_operator_wants_it() -> None:
    judge = refusing("thinking_token_budget", 400, BUDGET)
    async with table(judge, node=", thinking: all") as here:
        assert (await here.gemini(thinkingBudget=5))[0] == 400
        assert len(here.asked) == 1


async def test_a_node_that_speaks_anthropic_alone() -> None:
    def judge(asked: dict[str, Any]) -> tuple[int, object] | None:
        told = {"type": "error", "error": {"type": "invalid_request_error",
                "message": "thinking.type.enabled is not supported for this model."}}  # fmt: skip
        return (400, told) if asked.get("thinking", {}).get("type") == "enabled" else None

    async with table(judge, "anthropic", speaks="[anthropic]") as here:
        await here.gemini(thinkingBudget=2000)
        assert [("thinking" in one, one.get("output_config")) for one in here.asked] == [
            (True, None),
            (False, {"effort": "medium"}),
        ]


async def test_a_count_is_made_without_the_switch_as_well() -> None:
    async with table(refusing("chat_template_kwargs", 400, MISTRAL), count=7) as here:
        question = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        for times in (2, 3):
            status, _, body = await here.ask("/v1/messages/count_tokens", question)
            assert (status, body) == (200, b'{"input_tokens":7}')
            assert len(here.asked) == times


@pytest.mark.parametrize("status", [200, 400])
async def test_a_refusal_behind_signs_of_life_is_learnt_from_all_the_same(status: int) -> None:
    """The client of the first request gets the refusal: its keepalives cannot be taken back."""
    gate = asyncio.Event()
    judge = refusing("thinking_token_budget", status, BUDGET)
    async with table(judge, deployment=", heartbeat: 50ms", gate=gate) as here:
        first = await here.begin("/v1/messages", {**HI, "stream": True, **BUDGETED})
        assert (await first.head()).status == 200
        gate.set()
        assert b"event: error" in await first.rest()
        assert here.refused == {Control.BUDGET}
        assert (await here.anthropic(stream=True, **BUDGETED))[0] == 200
        assert len(here.asked) == 2


@pytest.mark.parametrize("told", ["bad request", "Function 'reading_budget' is not known here"])
async def test_from_a_refusal_that_may_be_of_something_else_nothing_is_learnt(told: str) -> None:
    """After keepalives the request is not repeated, so the cause stays unknown. One client's error
    must not change the requests of others."""
    gate = asyncio.Event()
    judge = refusing("thinking_token_budget", 400, {"error": {"message": told}})
    async with table(judge, deployment=", heartbeat: 50ms", gate=gate) as here:
        first = await here.begin("/v1/messages", {**HI, "stream": True, **BUDGETED})
        assert (await first.head()).status == 200
        gate.set()
        assert b"event: error" in await first.rest()
        assert not here.refused


async def test_a_sign_of_life_is_no_proof_that_a_wish_is_taken() -> None:
    gate = asyncio.Event()
    async with table(
        deployment=", heartbeat: 50ms", gate=gate, speaks="[openai, anthropic]"
    ) as here:
        first = await here.begin("/v1/messages", {**HI, "stream": True, **BUDGETED})
        await first.head()
        assert not here.gateway.dispatcher.control_memory.taken
        gate.set()
        assert b"message_stop" in await first.take_through(b"0\r\n\r\n")
