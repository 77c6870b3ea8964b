"""Which thinking control a refusal is about."""

from __future__ import annotations

import json

from casedesk_proxy.dialects.core.thinking import (
    chat_controls,
    find_refused,
    find_suspected,
    messages_controls,
    read_refusal,
)
from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.restrictions import Restrictions, fit_profile
from casedesk_proxy.engines.sglang import SPEC as SGLANG
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.terms import Ability, Control
from tests.fixtures.table import table

OFF, EFFORT, LEVELS, BUDGET = Control.OFF, Control.EFFORT, Control.LEVELS, Control.BUDGET
ALL = {OFF: "chat_template_kwargs", EFFORT: "reasoning_effort", LEVELS: "reasoning_effort",
       BUDGET: "thinking_token_budget"}  # fmt: skip


def test_what_a_chat_holds() -> None:
    vllm, sglang = VLLM.profile.thinking, SGLANG.profile.thinking
    assert chat_controls({"model": "m"}, vllm) == {}
    assert chat_controls({"chat_template_kwargs": {"enable_thinking": False}}, vllm) == {
        OFF: "chat_template_kwargs"
    }
    assert chat_controls({"reasoning_effort": "none"}, sglang) == {OFF: "reasoning_effort"}
    assert chat_controls({"reasoning_effort": "none"}, vllm) == {}
    assert chat_controls({"reasoning_effort": "low", "thinking_token_budget": 7}, vllm) == {
        EFFORT: "reasoning_effort", BUDGET: "thinking_token_budget"
    }  # fmt: skip
    assert set(chat_controls({"reasoning_effort": "max"}, vllm)) == {EFFORT, LEVELS}


@table(
    ("made", "controls"),
    [
        ({}, set()),
        ({"thinking": {"type": "adaptive"}}, set()),
        ({"thinking": {"type": "disabled"}}, {OFF}),
        ({"thinking": {"type": "enabled"}, "output_config": {"effort": "low"}}, {BUDGET, EFFORT}),
        ({"output_config": {"effort": "xhigh"}}, {EFFORT, LEVELS}),
        ({"output_config": {"format": {}}}, set()),
    ],
)
def test_what_messages_hold(made: dict[str, object], controls: set[Control]) -> None:
    assert set(messages_controls(made)) == controls


@table(
    ("told", "blamed"),
    [
        # As vLLM 0.32, SGLang 0.5.23, Ollama, OpenAI and FastAPI write them.
        ("thinking_token_budget is set but reasoning_config is not configured", {BUDGET}),
        ("chat_template is not supported for Mistral tokenizers.", {OFF}),
        ("Harmony does not support reasoning_effort='none'", {LEVELS}),
        ("Unrecognized request argument supplied: reasoning_effort", {EFFORT, LEVELS}),
        ("Unsupported parameter: 'reasoning_effort' is not supported with this model.",
         {EFFORT, LEVELS}),
        ('invalid reasoning value: "xhigh" (must be "high", "medium", "low", or "none")', {LEVELS}),
        ("Unsupported value: 'reasoning_effort' does not support 'minimal' with this model.",
         {LEVELS}),
        ("Unexpected effort 'max', expected one of low, medium, high", {LEVELS}),
        ('"m" does not support thinking', set(ALL)),
        ("This model has no reasoning mode", set(ALL)),
        ("Bad request", set(ALL)),
        ("This model's maximum context length is 8192 tokens.", set()),
        ("m is not a multimodal model", set()),
        ("Conversation roles must alternate", set()),
        ("max_tokens is too large", set()),
        ("The model `m` does not exist.", set()),
    ],
)  # fmt: skip
def test_who_is_to_blame(told: str, blamed: set[Control]) -> None:
    for document in ({"error": {"message": told}}, {"error": told}, {"detail": told}, told):
        text = read_refusal(400, json.dumps(document).encode())
        assert find_refused(ALL, 400, text) == blamed


def test_a_wish_that_was_not_sent_is_not_blamed() -> None:
    assert (
        find_refused({OFF: "reasoning_effort"}, 400, "budget is wrong, context length")
        == frozenset()
    )
    assert find_refused({}, 400, "thinking") == frozenset()


def test_an_unexplained_error_of_the_node_is_its_own() -> None:
    assert find_refused(ALL, 500, "internal server error") == frozenset()
    assert find_refused(ALL, 200, "engine core died") == frozenset()


@table(
    ("body", "told"),
    [
        (b'data: {"error": {"message": "no Thinking"}}\n\n', True),
        (b'data: {"object": "error", "message": "no thinking"}\n\n', True),
        (b'event: error\ndata: {"type": "error", "message": "thinking"}\n\n', True),
        (b'{"error": "no thinking"}', True),
        (b'data: {"choices":[{"delta":{"content":"I am thinking of an error"}}]}\n\n', False),
        (b"data: [DONE]\n\n", False),
        (b'data: {"choi', False),
        (b"", False),
    ],
)
def test_a_reply_is_a_refusal_only_where_an_error_is_its_first_event(
    body: bytes, told: bool
) -> None:
    assert ("thinking" in read_refusal(200, body)) is told


@table(
    ("status", "document", "suspected"),
    [
        (400, {"error": {"message": "Unrecognized argument: reasoning_effort"}}, {EFFORT, LEVELS}),
        (200, {"error": {"message": "Unrecognized argument: reasoning_effort"}}, {EFFORT, LEVELS}),
        (200, {"choices": [{"message": {"content": "reasoning_effort is not supported"}}]}, set()),
        (400, {"error": {"message": "Bad request"}}, set()),
        (400, {}, set()),
        # What it quotes is the client's.
        (400, {"error": {"message": "cannot read 'my thinking_token_budget'"}}, set()),
    ],
)
def test_without_another_try_only_the_nodes_own_words_count(
    status: int, document: object, suspected: set[Control]
) -> None:
    assert find_suspected(ALL, status, json.dumps(document).encode()) == suspected


def test_a_refusal_may_be_anything() -> None:
    for body in (b"", b"\xff\xfe", b"[" * 100_000, b"null", b'"x"', b"<html>", b"x" * 10**6):
        assert isinstance(read_refusal(400, body), str)
        assert isinstance(read_refusal(200, body), str)


@table("engine", ENGINES.values(), ids=str)
def test_a_model_that_cannot_think_is_told_nothing(engine: EngineSpec) -> None:
    thinking = fit_profile(engine, Restrictions(frozenset({Ability.THINKING}))).thinking
    assert (thinking.off, thinking.budget, thinking.effort) == ({}, "", False)


@table("engine", ENGINES.values(), ids=str)
def test_what_is_left_out(engine: EngineSpec) -> None:
    thinking = fit_profile(engine, Restrictions(unusable=frozenset(Control))).thinking
    assert (thinking.off, thinking.budget, thinking.effort) == (None, "", False)
    assert thinking.history == engine.profile.thinking.history
