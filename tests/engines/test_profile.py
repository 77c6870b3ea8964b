"""The table of engine quirks, seen from outside: what is sent to whom, whose streams are read."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.engines.parts import Part
from casedesk_proxy.engines.profile import Messages, Thinking, effort_of
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import Unsupported
from tests.dialects import anthropic_asking
from tests.dialects.asking import (
    LLAMA,
    LOCAL,
    OLLAMA,
    OPENAI,
    SGLANG,
    TGI,
    TRANSFORMERS,
    VLLM,
    chat,
    with_config,
    with_tools,
)
from tests.dialects.reading import breaks, delta, event, frames, play
from tests.fixtures.table import table

JSON = {"responseMimeType": "application/json"}
SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
F, G = {"name": "f"}, {"name": "g"}
NAMED = {"type": "function", "function": {"name": "f"}}
REFUSED = "refused"
NO_THINKING = {"enable_thinking": False}
ALL = (*LOCAL, OPENAI)


def everywhere(value: Any, **but: Any) -> dict[EngineSpec, Any]:
    """``but``: by the name of the engine's constant above."""
    changed = {globals()[name.upper()]: one for name, one in but.items()}
    return {engine: changed.get(engine, value) for engine in ALL}


#: Request, field of the chat body, its value by engine; None: not sent.
MATRIX: dict[str, tuple[dict[str, Any], str, dict[EngineSpec, Any]]] = {
    "top_k": (
        with_config(topK=7), "top_k",
        everywhere(7, ollama=None, tgi=None, transformers=None, openai=None)),
    "top_p of zero": (
        with_config(topP=0), "top_p", everywhere(0, vllm=1e-6, sglang=1e-6, tgi=1e-6)),
    "top_p of one": (with_config(topP=1), "top_p", everywhere(1, tgi=None)),
    "max_tokens": (with_config(maxOutputTokens=9), "max_tokens", everywhere(9)),
    "max_completion_tokens": (
        with_config(maxOutputTokens=9), "max_completion_tokens", everywhere(None)),
    "n": (with_config(candidateCount=2), "n",
        everywhere(2, ollama=REFUSED, tgi=REFUSED, transformers=REFUSED)),
    "stop is a list": (with_config(stopSequences="x"), "stop", everywhere(["x"])),
    "five stops": (
        with_config(stopSequences=list("abcde")), "stop",
        everywhere(list("abcde"), vllm=REFUSED, tgi=REFUSED, openai=REFUSED)),
    "seed": (with_config(seed=3), "seed", everywhere(3)),
    "chat_template_kwargs": (
        with_config(thinkingConfig={"thinkingBudget": 0}), "chat_template_kwargs",
        everywhere(None, **dict.fromkeys(("vllm", "llama", "transformers"), NO_THINKING))),
    "effort to switch thinking off": (
        with_config(thinkingConfig={"thinkingBudget": 0}), "reasoning_effort",
        everywhere(None, sglang="none", ollama="none")),
    "effort for a level": (
        with_config(thinkingConfig={"thinkingLevel": "LOW"}), "reasoning_effort",
        everywhere("low", tgi=None, transformers=None)),
    "effort for a budget": (
        with_config(thinkingConfig={"thinkingBudget": 1024}), "reasoning_effort",
        everywhere("low", vllm=None, llama=None, tgi=None, transformers=None)),
    "thinking_token_budget": (
        with_config(thinkingConfig={"thinkingBudget": 900}), "thinking_token_budget",
        everywhere(None, vllm=900)),
    "thinking_budget_tokens": (
        with_config(thinkingConfig={"thinkingBudget": 900}), "thinking_budget_tokens",
        everywhere(None, llama=900)),
    "response_format json_object": (
        with_config(**JSON), "response_format",
        everywhere({"type": "json_object"}, transformers=REFUSED)),
    "tool_choice required": (
        with_tools(F, G, mode="ANY"), "tool_choice",
        everywhere("required", ollama=REFUSED, transformers=REFUSED)),
    "tool_choice named": (
        with_tools(F, G, mode="ANY", allowedFunctionNames=["f"]), "tool_choice",
        everywhere(NAMED, llama="required", ollama=REFUSED, transformers=REFUSED)),
    "tool_choice none": (with_tools(F, mode="NONE"), "tools", everywhere(None)),
    "tool_choice auto": (with_tools(F), "tool_choice", everywhere(None)),
    "top_logprobs": (
        with_config(responseLogprobs=True, logprobs=6), "top_logprobs",
        everywhere(6, tgi=REFUSED, transformers=REFUSED)),
    "logprobs beside tools": (
        {**with_tools(F), "generationConfig": {"responseLogprobs": True}}, "logprobs",
        everywhere(True, llama=REFUSED, transformers=REFUSED)),
    "include_usage": (with_config(), "stream_options", everywhere({"include_usage": True})),
    "format and tools": (
        {**with_tools(F), "generationConfig": {**JSON, "responseSchema": SCHEMA}}, "stream",
        everywhere(True, llama=REFUSED, tgi=REFUSED, transformers=REFUSED)),
    "presence_penalty": (
        with_config(presencePenalty=1), "presence_penalty", everywhere(1, transformers=None)),
}  # fmt: skip


@table("engine", ALL)
@table("row", MATRIX)
def test_what_is_sent_to_whom(row: str, engine: EngineSpec) -> None:
    body, field, wanted = MATRIX[row]
    if wanted[engine] == REFUSED:
        with pytest.raises(Unsupported):
            chat(body, engine)
    else:
        assert chat(body, engine).get(field) == wanted[engine]


@table("engine", ALL)
def test_what_is_never_sent(engine: EngineSpec) -> None:
    """Old ways to a grammar, which vLLM ignores without a word, and ways to hide reasoning: it is
    wanted for its count, and kept from the client here."""
    format_ = {} if engine is TRANSFORMERS else {**JSON, "responseSchema": SCHEMA}
    body = with_config(**format_, thinkingConfig={"includeThoughts": True})
    sent = chat(body, engine).keys()
    assert not {one for one in sent if one.startswith("guided_")}
    assert not sent & {"include_reasoning", "separate_reasoning", "reasoning_format", "user",
                       "logit_bias", "format", "grammar", "structured_outputs"}  # fmt: skip


@table("engine", ALL)
def test_one_call_at_a_time(engine: EngineSpec) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    asked = anthropic_asking.asking(tools=[anthropic_asking.WEATHER], tool_choice=choice)
    made = anthropic_asking.transposed(asked, engine)
    switched = "parallel_tool_calls" in anthropic_asking.chat(asked, engine)
    assert switched is (engine not in (OLLAMA, TGI, TRANSFORMERS))
    assert bool(made.dropped) is not switched


@table(
    ("budget", "effort"),
    [(1, "minimal"), (512, "minimal"), (513, "low"), (1024, "low"), (8192, "medium"),
     (8193, "high"), (24576, "high")],
)  # fmt: skip
def test_effort_of_a_budget(budget: int, effort: str) -> None:
    assert effort_of(budget) == effort


def choice(finish: str | None = None, **said: Any) -> bytes:
    return event(
        id="x", model="tiny", choices=[{"index": 0, "delta": said, "finish_reason": finish}]
    )


def counted(**more: Any) -> bytes:
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return event(**{"id": "x", "model": "tiny", "choices": [], "usage": counts, **more})


DONE = b"data: [DONE]\n\n"
#: As each engine writes a stream with reasoning, text and a call.
STREAMS: dict[EngineSpec, tuple[bytes, ...]] = {
    VLLM: (
        choice(role="assistant", content=""),
        choice(reasoning="t"),
        choice(content="a"),
        choice(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]),
        choice(tool_calls=[{"index": 0, "function": {"arguments": '{"y":'}}]),
        choice("stop", tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
        counted(),
        DONE,
    ),
    SGLANG: (
        choice(role="assistant", content=""),
        choice(reasoning_content="t"),
        choice(content="a"),
        event(sglext_cached_tokens={"tokens": 1}),
        choice(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]),
        choice(tool_calls=[{"index": 0, "function": {"arguments": '{"y":1}'}}]),
        choice("tool_calls"),
        counted(),
        DONE,
    ),
    LLAMA: (
        choice(role="assistant", content=None) + choice(reasoning_content="t"),
        b":\n\n",
        choice(content="a"),
        choice(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]),
        choice(tool_calls=[{"index": 0, "function": {"arguments": '"y":1}'}}]),
        choice("tool_calls") + counted(timings={"prompt_ms": 1.0}),
        DONE,
    ),
    OLLAMA: (
        choice(role="assistant", content="", reasoning="t"),
        choice(role="assistant", content="a"),
        choice(role="assistant", content="", tool_calls=[
            {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"y":1}'}}]),
        choice("tool_calls", role="assistant", content=""),
        counted(),
        DONE,
    ),
    TGI: (
        choice(role="assistant", content="a"),
        choice(role="assistant", tool_calls=[
            {"index": 0, "id": "0", "function": {"name": "f", "arguments": {"y": 1}}}]),
        choice("eos_token", role="assistant", content=""),
        counted(id="", model="other"),
        DONE,
    ),
    # Its usage stands beside the finish, and nothing says that it is done.
    TRANSFORMERS: (
        choice(role="assistant"),
        choice(reasoning_content="t"),
        choice(content="a"),
        choice(tool_calls=[{"index": 0, "type": "function", "id": "c",
                            "function": {"name": "f", "arguments": '{"y":1}'}}]),
        counted(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]),
    ),
}  # fmt: skip
#: As each engine writes that it failed.
FAILURES = {
    VLLM: (event(error={"message": "x", "type": "E", "code": 500}), DONE),
    SGLANG: (event(error={"object": "error", "message": "x"}), DONE),
    LLAMA: (event(error={"code": 500, "message": "x", "type": "server_error"}),),
    OLLAMA: (choice(role="assistant", content=""),),
    TGI: (event(error="x", error_type="generation"),),
    # A message with a quote in it makes no JSON.
    TRANSFORMERS: (b'data: {"error": "no "x" left"}\n\n',),
}


@table("engine", LOCAL)
def test_the_stream_of_each_engine(engine: EngineSpec) -> None:
    chunks = frames(play(*STREAMS[engine], thoughts=True))
    found = [part for one in chunks for part in one["candidates"][0]["content"]["parts"]]
    call = {"id": "0" if engine is TGI else "c", "name": "f", "args": {"y": 1}}
    thought = [] if engine is TGI else [{"text": "t", "thought": True}]
    assert found == [*thought, {"text": "a"}, {"functionCall": call}]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] == 5
    assert {(one["modelVersion"], one["responseId"]) for one in chunks} == {("tiny", "x")}


@table("engine", LOCAL)
def test_the_failure_of_each_engine(engine: EngineSpec) -> None:
    assert "finishReason" not in breaks(delta("a"), *FAILURES[engine])
    assert breaks(*FAILURES[engine]) == ""


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
