"""The table of engine quirks as its users see it: what is sent, and whose streams are read."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.engines.parts import Part
from casedesk_proxy.engines.profile import Messages, Thinking, effort_of
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import Unsupported
from tests.dialects import anthropic_asking
from tests.dialects.asking import (
    SGLANG,
    TGI,
    VLLM,
    chat,
    with_config,
    with_tools,
)
from tests.dialects.reading import breaks, delta, frames, play
from tests.engines.known import CHATS, REFUSED, known
from tests.engines.streams import DONE, choice
from tests.fixtures.table import table

JSON = {"responseMimeType": "application/json"}
SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
F, G = {"name": "f"}, {"name": "g"}
NAMED = {"type": "function", "function": {"name": "f"}}
SENT = known("SENT")
ONE_CALL = "one call at a time"
#: Request, field of the chat body, the value that is usually sent; None: not sent. What an engine
#: is sent otherwise stands in its own test file.
MATRIX: dict[str, tuple[dict[str, Any], str, Any]] = {
    "top_k": (with_config(topK=7), "top_k", 7),
    "top_p of zero": (with_config(topP=0), "top_p", 0),
    "top_p of one": (with_config(topP=1), "top_p", 1),
    "max_tokens": (with_config(maxOutputTokens=9), "max_tokens", 9),
    "max_completion_tokens": (with_config(maxOutputTokens=9), "max_completion_tokens", None),
    "n": (with_config(candidateCount=2), "n", 2),
    "stop is a list": (with_config(stopSequences="x"), "stop", ["x"]),
    "five stops": (with_config(stopSequences=list("abcde")), "stop", list("abcde")),
    "seed": (with_config(seed=3), "seed", 3),
    "chat_template_kwargs": (
        with_config(thinkingConfig={"thinkingBudget": 0}), "chat_template_kwargs", None),
    "effort to switch thinking off": (
        with_config(thinkingConfig={"thinkingBudget": 0}), "reasoning_effort", None),
    "effort for a level": (
        with_config(thinkingConfig={"thinkingLevel": "LOW"}), "reasoning_effort", "low"),
    "effort for a budget": (
        with_config(thinkingConfig={"thinkingBudget": 1024}), "reasoning_effort", "low"),
    "thinking_token_budget": (
        with_config(thinkingConfig={"thinkingBudget": 900}), "thinking_token_budget", None),
    "thinking_budget_tokens": (
        with_config(thinkingConfig={"thinkingBudget": 900}), "thinking_budget_tokens", None),
    "response_format json_object": (
        with_config(**JSON), "response_format", {"type": "json_object"}),
    "tool_choice required": (with_tools(F, G, mode="ANY"), "tool_choice", "required"),
    "tool_choice named": (
        with_tools(F, G, mode="ANY", allowedFunctionNames=["f"]), "tool_choice", NAMED),
    "tool_choice none": (with_tools(F, mode="NONE"), "tools", None),
    "tool_choice auto": (with_tools(F), "tool_choice", None),
    "top_logprobs": (with_config(responseLogprobs=True, logprobs=6), "top_logprobs", 6),
    "logprobs beside tools": (
        {**with_tools(F), "generationConfig": {"responseLogprobs": True}}, "logprobs", True),
    "include_usage": (with_config(), "stream_options", {"include_usage": True}),
    "format and tools": (
        {**with_tools(F), "generationConfig": {**JSON, "responseSchema": SCHEMA}}, "stream", True),
    "presence_penalty": (with_config(presencePenalty=1), "presence_penalty", 1),
}  # fmt: skip


@table("engine", CHATS)
def test_what_is_sent_to_whom(engine: EngineSpec) -> None:
    assert SENT[engine].keys() <= {*MATRIX, ONE_CALL}
    for row, (body, field, usual) in MATRIX.items():
        wanted = SENT[engine].get(row, usual)
        if wanted == REFUSED:
            with pytest.raises(Unsupported):
                chat(body, engine)
        else:
            assert chat(body, engine).get(field) == wanted, row


@table("engine", CHATS)
def test_what_is_never_sent(engine: EngineSpec) -> None:
    """Old ways to set a grammar are never sent, as vLLM ignores them silently. Ways to hide the
    reasoning are not sent either: its count is needed, and the proxy itself hides it from the
    client."""
    held = SENT[engine].get("response_format json_object") != REFUSED
    format_ = {**JSON, "responseSchema": SCHEMA} if held else {}
    body = with_config(**format_, thinkingConfig={"includeThoughts": True})
    sent = chat(body, engine).keys()
    assert not {one for one in sent if one.startswith("guided_")}
    assert not sent & {"include_reasoning", "separate_reasoning", "reasoning_format", "user",
                       "logit_bias", "format", "grammar", "structured_outputs"}  # fmt: skip


@table("engine", CHATS)
def test_one_call_at_a_time(engine: EngineSpec) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    asked = anthropic_asking.asking(tools=[anthropic_asking.WEATHER], tool_choice=choice)
    made = anthropic_asking.translated(asked, engine)
    switched = "parallel_tool_calls" in anthropic_asking.chat(asked, engine)
    assert switched is SENT[engine].get(ONE_CALL, True)
    assert bool(made.dropped) is not switched


@table(
    ("budget", "effort"),
    [(1, "minimal"), (512, "minimal"), (513, "low"), (1024, "low"), (8192, "medium"),
     (8193, "high"), (24576, "high")],
)  # fmt: skip
def test_effort_of_a_budget(budget: int, effort: str) -> None:
    assert effort_of(budget) == effort


@table("stream", known("STREAM").values())
def test_the_stream_of_each_engine(stream: tuple[bytes, ...]) -> None:
    chunks = frames(play(*stream, thoughts=True))
    *thought, text, called = (
        part for one in chunks for part in one["candidates"][0]["content"]["parts"]
    )
    # TGI has no reasoning, and numbers its calls.
    assert thought in ([], [{"text": "t", "thought": True}])
    assert bool(thought) is any(b"reasoning" in one for one in stream)
    assert text == {"text": "a"}
    assert (called["functionCall"]["name"], called["functionCall"]["args"]) == ("f", {"y": 1})
    assert called["functionCall"]["id"] == ("c" if b'"id": "c"' in b"".join(stream) else "0")
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] == 5
    assert {(one["modelVersion"], one["responseId"]) for one in chunks} == {("tiny", "x")}


@table("failed", known("FAILS").values())
def test_the_failure_of_each_engine(failed: tuple[bytes, ...]) -> None:
    assert "finishReason" not in breaks(delta("a"), *failed)
    assert breaks(*failed) == ""


@table(
    ("engine", "finish", "reason"),
    [
        (VLLM, "repetition", "OTHER"),
        (SGLANG, "content_filter", "SAFETY"),
        (TGI, "stop_sequence", "STOP"),
        (TGI, "eos_token", "STOP"),
    ],
)
def test_finish_words_of_one_engine_alone(engine: EngineSpec, finish: str, reason: str) -> None:
    (chunk, *_) = frames(play(choice(finish, content="a"), DONE))
    assert chunk["candidates"][0]["finishReason"] == reason, engine


def test_levels_that_are_not_known_become_the_nearest() -> None:
    plain, all_ = Messages(levels=False), Messages()
    assert [plain.level(one) for one in ("minimal", "low", "max")] == ["low", "low", "high"]
    assert [all_.level(one) for one in ("minimal", "low", "max")] == ["low", "low", "max"]
    assert [Thinking(levels=False).level(one) for one in ("xhigh", "medium")] == ["high", "medium"]


def test_older_releases_lose_more() -> None:
    route = Messages(loses=frozenset({Part.COUNT}), loses_more=((0, 32), frozenset({Part.BUDGET})))
    for version in ((), (0, 32), (1, 0)):
        assert route.lost_parts(version) == {Part.COUNT}
    assert route.lost_parts((0, 31)) == {Part.COUNT, Part.BUDGET}
