"""What real SDKs send becomes one canonical request, and they read what they get back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import TranslatedRequest
from casedesk_proxy.dialects.registry import find_translations
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.dialects.asking import chat, context
from tests.dialects.pairs.test_gemini_properties import check_openai
from tests.dialects.reading import DONE, delta, frames, play, usage
from tests.dialects.replies import names, read_reply
from tests.fixtures.sdks import genai
from tests.fixtures.table import table

CLIENTS = Path(__file__).parent.parent.parent / "corpus" / "clients"
ACTIONS = ("generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents",
           "countTokens")  # fmt: skip


def captured() -> list[Any]:
    found = []
    for path in sorted(CLIENTS.glob("*.json")):
        for number, record in enumerate(json.loads(path.read_text())):
            target, body = record.get("target", ""), record.get("body")
            action = target.partition("?")[0].rpartition(":")[2]
            if action in ACTIONS and isinstance(body, dict) and "head_b64" not in body:
                name = f"{path.stem}-{number}-{action}"
                model = target.partition("?")[0].rpartition(":")[0].rpartition("models/")[2]
                found.append(pytest.param(Action(action), model, body, id=name))
    return found


def test_there_are_captures() -> None:
    assert len(captured()) > 20


@table(("action", "model", "body"), captured())
def test_what_sdks_send_is_taken(action: Action, model: str, body: dict[str, Any]) -> None:
    call = Call(Dialect.GEMINI, action, None, model, "v1beta", framing=Framing.SSE)
    ((dialect, translate), *_) = find_translations(call)
    assert dialect is Dialect.OPENAI
    if "fileData" in json.dumps(body):
        with pytest.raises(Unsupported, match="fileData"):
            translate(call, body, context(asked=model))
        return
    made = translate(call, body, context(asked=model))
    assert isinstance(made, TranslatedRequest)
    if action in (Action.GENERATE, Action.STREAM_GENERATE):
        check_openai(made.body)


def test_all_spellings_of_one_request() -> None:
    """The spellings are those of google-genai 3 for Python, of google-generativeai, and of Google's
    documentation."""
    object_ = {"type": "object", "properties": {"x": {"type": "string"}}}
    modern = {
        "contents": [
            {
                "parts": [
                    {"text": "Hi"},
                    {"inlineData": {"data": "iVBOR__-", "mime_type": "image/png"}},
                ],
                "role": "user",
            }
        ],
        "systemInstruction": {"parts": [{"text": "Be brief"}], "role": "user"},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters_json_schema": object_}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "topK": 40.0,
            "stopSequences": ["X"],
            "thinkingConfig": {"thinking_budget": 0},
        },
    }
    image = {"data": "iVBOR//+", "mimeType": "image/png"}
    numbered = {"type": 6, "properties": {"x": {"type": 1}}}
    old = {
        "contents": [{"parts": [{"text": "Hi"}, {"inlineData": image}], "role": "user"}],
        "systemInstruction": {"parts": [{"text": "Be brief"}]},
        "safetySettings": [{"category": 7, "threshold": 4}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": numbered}]}],
        "toolConfig": {"functionCallingConfig": {"mode": 2}},
        "generationConfig": {
            "topK": "40",
            "stopSequences": ["X"],
            "thinkingConfig": {"thinkingBudget": "0"},
        },
    }
    docs = {
        "contents": {"parts": [{"text": "Hi"}, {"inline_data": image}]},
        "system_instruction": {"parts": {"text": "Be brief"}},
        "tools": {"function_declarations": {"name": "f", "parameters": object_}},
        "tool_config": {"function_calling_config": {"mode": "any"}},
        "generation_config": {
            "top_k": 40,
            "stop_sequences": "X",
            "thinking_config": {"thinking_budget": 0},
        },
    }
    assert chat(modern) == chat(old) == chat(docs)


def read(reply: bytes) -> list[genai.types.GenerateContentResponse]:
    return [genai.types.GenerateContentResponse.model_validate(chunk) for chunk in frames(reply)]


def test_the_sdk_reads_text_thoughts_and_usage() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 2}, "reasoning_tokens": 3}
    stream = [delta("a", reasoning="t"), delta("b"), delta(finish="length"), usage(5, 7, **details)]
    first, *_, last = read(play(*stream, DONE, thoughts=True))
    assert first.candidates is not None
    assert first.candidates[0].content.parts[0].thought is True
    assert last.candidates[0].finish_reason is genai.types.FinishReason.MAX_TOKENS
    counts = last.usage_metadata
    assert (counts.prompt_token_count, counts.candidates_token_count) == (5, 4)
    assert (counts.thoughts_token_count, counts.cached_content_token_count) == (3, 2)
    assert counts.total_token_count == 12
    assert (last.model_version, last.response_id) == ("tiny", "chat-1")


def test_the_sdk_reads_calls_and_logprobs() -> None:
    call = {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"y":1}'}}
    top = [{"token": "b", "logprob": -2.0}]
    logged = [{"token": "a", "logprob": -1.0, "id": 7, "top_logprobs": top}]
    stream = [delta("a", logprobs=logged), delta(tool_calls=[call]), delta(finish="tool_calls")]
    first, last = read(play(*stream, DONE))
    assert first.text == "a"
    chosen = first.candidates[0].logprobs_result.chosen_candidates[0]
    assert (chosen.token, chosen.log_probability, chosen.token_id) == ("a", -1.0, 7)
    assert last.function_calls[0].args == {"y": 1}
    assert last.candidates[0].avg_logprobs == -1.0


@table("name", names("*", kind="chat stream"))
def test_the_sdk_reads_what_becomes_of_recorded_streams(name: str) -> None:
    reply = read_reply(name)
    if reply.status == 200:
        chunks = read(play(*reply.chunks, thoughts=True))
        assert chunks[-1].candidates[0].finish_reason in genai.types.FinishReason
