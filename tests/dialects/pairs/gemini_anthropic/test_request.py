"""A Gemini request, translated for a node that only speaks Anthropic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Answered, TranslatedRequest
from casedesk_proxy.dialects.core.counting import COUNTED
from casedesk_proxy.dialects.pairs.gemini_anthropic import count, translate
from casedesk_proxy.engines.anthropic import SPEC as ANTHROPIC
from casedesk_proxy.engines.lmstudio import SPEC as LMSTUDIO
from casedesk_proxy.engines.restrictions import Restrictions
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import ProxyError, StreamBroken, Unsupported
from tests.dialects.asking import (
    HELLO,
    LLAMA,
    OLLAMA,
    PNG,
    SGLANG,
    VLLM,
    call,
    context,
    with_parts,
    with_tools,
)
from tests.dialects.asking import with_config as config_of
from tests.fixtures.table import table

REAL = ANTHROPIC
NODES = (REAL, VLLM, SGLANG, LLAMA, OLLAMA)
SAID = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
BARE = {"model": "tiny", "max_tokens": 4096, "messages": SAID, "stream": True}
F, G = {"name": "f"}, {"name": "g"}
NOTHING = {"type": "object", "properties": {}}


def made(body: dict[str, Any], engine: EngineSpec = REAL, **changes: Any) -> TranslatedRequest:
    return translate(call(), body, context(engine, **changes))


def sent(body: dict[str, Any], engine: EngineSpec = REAL, **changes: Any) -> dict[str, Any]:
    return json.loads(made(body, engine, **changes).body)


def refused(
    body: dict[str, Any], engine: EngineSpec = REAL, code: str = "unsupported_gemini_feature"
) -> list[str]:
    with pytest.raises(Unsupported) as caught:
        made(body, engine)
    assert caught.value.code == code
    return [one.path for one in caught.value.violations]


@table("engine", NODES)
def test_the_least_request(engine: EngineSpec) -> None:
    assert sent(HELLO, engine) == BARE
    request = made(HELLO, engine)
    assert request.path == "/v1/messages"
    assert request.streams
    assert request.dropped == ()


def test_how_much_may_be_written() -> None:
    assert sent(config_of(maxOutputTokens=7))["max_tokens"] == 7
    assert sent(HELLO, output_limit=900)["max_tokens"] == 900
    assert sent(HELLO)["max_tokens"] == 4096


def test_system_instruction() -> None:
    body = {**HELLO, "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]}}
    assert sent(body)["system"] == "a\nb"
    folded = sent(body, VLLM, fold_system=True)
    assert "system" not in folded
    assert [part["text"] for part in folded["messages"][0]["content"]] == ["a\nb", "Hello"]
    body["contents"] = [{"role": "model", "parts": [{"text": "Hi"}]}, *HELLO["contents"]]
    folded = sent(body, VLLM, fold_system=True)
    assert [one["role"] for one in folded["messages"]] == ["user", "assistant", "user"]


def test_a_conversation_begins_with_the_user() -> None:
    body = {"contents": [{"role": "model", "parts": [{"text": "Hi"}]}, *HELLO["contents"]]}
    assert refused(body) == ["contents[0].parts[0].text"]
    assert sent(body, VLLM)["messages"][0]["role"] == "assistant"


def test_turns_are_merged_and_empty_parts_left_out() -> None:
    contents = [
        {"parts": [{"text": "a"}, {"text": ""}]},
        {"role": "user", "parts": [{"text": "b"}]},
        {"role": "model", "parts": [{"text": "t", "thought": True}, {"text": "c"}]},
    ]
    found = sent({"contents": contents})["messages"]
    assert [(one["role"], [part["text"] for part in one["content"]]) for one in found] == [
        ("user", ["a", "b"]),
        ("assistant", ["c"]),
    ]


@table("mime", ["image/png", "image/jpeg", "image/gif", "image/webp"])
@table("engine", NODES)
def test_images(mime: str, engine: EngineSpec) -> None:
    body = with_parts({"inlineData": {"mimeType": mime, "data": PNG.rstrip("=")}})
    if mime not in engine.profile.images:
        assert refused(body, engine) == ["contents[0].parts[0].inlineData"]
        return
    assert sent(body, engine)["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": mime, "data": PNG}}
    ]


def test_documents_and_other_media() -> None:
    pdf = with_parts({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}})
    assert sent(pdf)["messages"][0]["content"][0]["type"] == "document"
    for engine in NODES[1:]:
        assert refused(pdf, engine) == ["contents[0].parts[0].inlineData"]
    for mime in ("audio/wav", "video/mp4", "image/heic"):
        body = with_parts({"inlineData": {"mimeType": mime, "data": "AAAA"}})
        assert refused(body) == ["contents[0].parts[0].inlineData"]
    assert refused(with_parts({"fileData": {"fileUri": "gs://x"}}, {"text": "x"})) == [
        "contents[0].parts[0].fileData"
    ]


def test_calls_and_results() -> None:
    asked = {"functionCall": {"name": "f", "args": {"x": 1}, "id": "mine"}}
    answered = {"functionResponse": {"name": "f", "id": "mine", "response": {"y": 2}}}
    body = {
        **with_tools(F),
        "contents": [
            *HELLO["contents"],
            {"role": "model", "parts": [{"text": "Wait."}, asked]},
            {"role": "user", "parts": [{"text": "Here:"}, answered]},
        ],
    }
    assert sent(body)["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Wait."},
                {"type": "tool_use", "id": "call00001", "name": "f", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call00001", "content": '{"y":2}'},
                {"type": "text", "text": "Here:"},
            ],
        },
    ]


def test_tools() -> None:
    declared = {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}
    found = sent(with_tools(declared, G))
    assert found["tools"] == [
        {"name": "f", "description": "d", "input_schema": {"type": "object"}},
        {"name": "g", "input_schema": NOTHING},
    ]
    assert "tool_choice" not in found


def test_modes() -> None:
    for engine in (REAL, VLLM, SGLANG, LLAMA):
        assert sent(with_tools(F, G, mode="ANY"), engine)["tool_choice"] == {"type": "any"}
    one = with_tools(F, G, mode="ANY", allowedFunctionNames=["g"])
    for engine in (REAL, VLLM, SGLANG):
        found = sent(one, engine)
        assert found["tool_choice"] == {"type": "tool", "name": "g"}
        assert [tool["name"] for tool in found["tools"]] == ["g"]
    # llama-server takes ``tool`` for any: with one tool that is the same.
    found = sent(one, LLAMA)
    assert found["tool_choice"] == {"type": "any"}
    assert [tool["name"] for tool in found["tools"]] == ["g"]
    for body in (with_tools(F, mode="ANY"), one):
        assert refused(body, OLLAMA) == ["toolConfig.functionCallingConfig.mode"]
    assert "tool_choice" not in sent(with_tools(F, mode="VALIDATED"))
    assert sent(with_tools(F, mode="NONE")) == BARE


def test_mode_none_with_calls_in_the_history() -> None:
    asked = {"role": "model", "parts": [{"functionCall": {"name": "old"}}]}
    answered = {"parts": [{"functionResponse": {"name": "old", "response": {}}}]}
    body = {**with_tools(F, mode="NONE"), "contents": [*HELLO["contents"], asked, answered]}
    found = sent(body)
    assert found["tool_choice"] == {"type": "none"}
    assert [tool["name"] for tool in found["tools"]] == ["f", "old"]
    assert "tools" not in sent(body, VLLM)


def test_names_that_only_google_takes() -> None:
    body = with_tools({"name": "a.b"}, mode="ANY", allowedFunctionNames=["a.b"])
    assert sent(body)["tools"][0]["name"] == "a_b"
    assert sent(body)["tool_choice"]["name"] == "a_b"
    assert sent(body, VLLM)["tools"][0]["name"] == "a.b"


@table(
    ("config", "wanted"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"topP": 0.9, "topK": 40.0}, {"top_p": 0.9, "top_k": 40}),
        ({"stopSequences": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"candidateCount": 1, "responseMimeType": "text/plain"}, {}),
    ],
)
def test_config(config: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert sent(config_of(**config)) == {**BARE, **wanted}


def test_a_temperature_above_anthropics() -> None:
    request = made(config_of(temperature=1.5))
    assert json.loads(request.body)["temperature"] == 1
    assert request.dropped == ("generationConfig.temperature",)
    assert sent(config_of(temperature=1.5), VLLM)["temperature"] == 1.5


def test_what_has_no_equivalent_is_dropped_or_refused() -> None:
    request = made(config_of(seed=1, presencePenalty=1, frequencyPenalty=1))
    assert json.loads(request.body) == BARE
    assert request.dropped == (
        "generationConfig.seed",
        "generationConfig.presencePenalty",
        "generationConfig.frequencyPenalty",
    )
    assert refused(config_of(candidateCount=2)) == ["generationConfig.candidateCount"]
    assert refused(config_of(responseLogprobs=True)) == ["generationConfig.responseLogprobs"]
    assert refused(config_of(stopSequences=["a", " \n"])) == ["generationConfig.stopSequences[1]"]
    assert sent(config_of(stopSequences=["a", " \n"]), LLAMA)["stop_sequences"] == ["a", " \n"]
    five = config_of(stopSequences=list("abcde"))
    assert refused(five, VLLM) == ["generationConfig.stopSequences"]
    assert len(sent(five)["stop_sequences"]) == 5


@table(
    ("thinking", "config", "wanted"),
    [
        ({"thinkingBudget": 2000}, {},
         {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ({"thinkingBudget": 10}, {},
         {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ({"thinkingBudget": 5000}, {},
         {"thinking": {"type": "enabled", "budget_tokens": 5000}, "max_tokens": 9096}),
        ({"thinkingBudget": 5000}, {"maxOutputTokens": 5001},
         {"thinking": {"type": "enabled", "budget_tokens": 5000}, "max_tokens": 5001}),
        ({"thinkingBudget": 5000}, {"maxOutputTokens": 5000}, {"max_tokens": 5000}),
        ({"thinkingBudget": 0}, {}, {"thinking": {"type": "disabled"}}),
        ({"thinkingBudget": -1}, {}, {}),
        ({"thinkingLevel": "HIGH"}, {}, {"output_config": {"effort": "high"}}),
        ({"thinkingLevel": "MINIMAL"}, {}, {"output_config": {"effort": "low"}}),
    ],
)  # fmt: skip
def test_thinking(thinking: dict[str, Any], config: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert sent(config_of(thinkingConfig=thinking, **config)) == {**BARE, **wanted}


def test_a_budget_where_only_efforts_are_known() -> None:
    asked = config_of(thinkingConfig={"thinkingBudget": 5000})
    made_for = made(asked, restrictions=Restrictions(by_effort=True))
    assert json.loads(made_for.body) == {**BARE, "output_config": {"effort": "medium"}}
    assert made_for.dropped == ()


def test_a_budget_where_nothing_is_known_is_left_out() -> None:
    neither = made(config_of(thinkingConfig={"thinkingBudget": 5000}), LMSTUDIO)
    assert json.loads(neither.body) == BARE
    assert neither.dropped == ("generationConfig.thinkingConfig.thinkingBudget",)


def test_thinking_that_cannot_be_set_is_told() -> None:
    path = "generationConfig.thinkingConfig"
    for thinking, config, engine in (
        ({"thinkingBudget": 5000}, {"maxOutputTokens": 5000}, REAL),
        ({"thinkingBudget": 0}, {}, LLAMA),
        ({"thinkingLevel": "LOW"}, {}, OLLAMA),
    ):
        request = made(config_of(thinkingConfig=thinking, **config), engine)
        assert request.dropped == (f"{path}.{next(iter(thinking))}",)


def test_formats() -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    body = config_of(responseMimeType="application/json", responseSchema=schema)
    for engine in (REAL, VLLM, SGLANG):
        assert sent(body, engine)["output_config"]["format"] == {
            "type": "json_schema",
            "schema": {"type": "object", "properties": {"a": {"type": "string"}}},
        }
    for engine in (LLAMA, OLLAMA):
        assert refused(body, engine, "unsupported_response_format") == [
            "generationConfig.responseSchema"
        ]
    anything = config_of(responseMimeType="application/json")
    assert refused(anything, code="unsupported_response_format") == [
        "generationConfig.responseMimeType"
    ]


def counted(body: dict[str, Any], engine: EngineSpec = REAL) -> Any:
    return count(call(), body, context(engine))


def test_counts() -> None:
    inner = {**with_tools(F), "systemInstruction": {"parts": {"text": "s"}}}
    request = counted({"generateContentRequest": inner})
    assert isinstance(request, TranslatedRequest)
    assert request.path == "/v1/messages/count_tokens"
    assert json.loads(request.body) == {
        "model": "tiny",
        "system": "s",
        "messages": SAID,
        "tools": [{"name": "f", "input_schema": NOTHING}],
    }
    request.translator.feed(b'{"input_tokens": 22}')
    assert json.loads(request.translator.finish()) == {"totalTokens": 22}
    request = counted(HELLO, VLLM)
    request.translator.feed(b'{"type": "error"}')
    with pytest.raises(StreamBroken):
        request.translator.finish()


def test_estimates() -> None:
    answer = counted(HELLO, OLLAMA)
    assert isinstance(answer, Answered)
    assert answer.headers == ((COUNTED, "estimate"),)
    assert json.loads(answer.body)["totalTokens"] > 1


def test_wrong_requests_are_refused_before() -> None:
    with pytest.raises(ProxyError) as caught:
        made({"contents": []})
    assert [one.path for one in caught.value.violations] == ["contents"]
