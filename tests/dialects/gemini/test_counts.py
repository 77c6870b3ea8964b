"""Token counts: which node is asked, and an estimate that is marked if no node can be asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Answered, TranslatedRequest
from casedesk_proxy.dialects.core.counting import COUNTED, read_count
from casedesk_proxy.dialects.pairs import anthropic_openai, gemini_openai, responses_openai
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, StreamBroken, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect
from tests.dialects.asking import HELLO, LLAMA, OLLAMA, OPENAI, PNG, SGLANG, TGI, VLLM, context
from tests.dialects.replies import read_reply
from tests.fixtures.table import table

CALL = Call(Dialect.GEMINI, Action.COUNT_TOKENS, None, "gemma2:9b", "v1beta")
ASKED = Call(Dialect.ANTHROPIC, Action.COUNT_MESSAGES, None)
MESSAGES = [{"role": "user", "content": "Hello"}]


def count(body: dict[str, Any], engine: EngineSpec = VLLM) -> Any:
    return gemini_openai.count(CALL, body, context(engine))


@table(
    ("engine", "path", "extra"),
    [
        (VLLM, "/tokenize", {"add_generation_prompt": True}),
        (SGLANG, "/tokenize", {"add_generation_prompt": True}),
        (LLAMA, "/v1/chat/completions/input_tokens", {}),
        (TGI, "/chat_tokenize", {}),
    ],
)
def test_the_nodes_own_tokenizer(engine: EngineSpec, path: str, extra: dict[str, Any]) -> None:
    made = count(HELLO, engine)
    assert isinstance(made, TranslatedRequest)
    assert made.path == path
    assert not made.streams
    assert made.headers == ()
    assert json.loads(made.body) == {"model": "tiny", "messages": MESSAGES, **extra}


@table(
    ("name", "engine", "number"),
    [
        ("vllm-0.32.0.tokenize-chat", VLLM, 12),
        ("sglang-0.5.23.tokenize-chat", SGLANG, 12),
        ("llama-server.chat-input-tokens", LLAMA, 12),
    ],
)
def test_recorded_counts(name: str, engine: EngineSpec, number: int) -> None:
    made = count(HELLO, engine)
    for piece in read_reply(name).chunks:
        made.translator.feed(piece)
    assert json.loads(made.translator.finish()) == {"totalTokens": number}


@table("wrapped", [False, True])
def test_a_result_without_its_call_is_counted_as_its_text(wrapped: bool) -> None:
    """gemini-cli 0.61 counts each result in this way, to see whether it is too long to send."""
    called = {"functionCall": {"name": "f", "args": {}}}
    result = {"functionResponse": {"name": "f", "response": {"output": "words"}}}
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [result, {"text": "And?"}]}]}
    asked = {"generateContentRequest": {"model": "models/x", **body}} if wrapped else body
    (message,) = json.loads(count(asked).body)["messages"]
    assert message["role"] == "user"
    assert '{"output":"words"}' in message["content"]
    assert "And?" in message["content"]
    body["contents"].insert(0, {"role": "model", "parts": [called]})
    roles = [one["role"] for one in json.loads(count(body).body)["messages"]]
    assert roles[-3:] == ["assistant", "tool", "user"], "with its call it is a result"


def test_the_form_with_a_whole_request_inside() -> None:
    inner = {
        **HELLO,
        "model": "models/gemma2:9b",
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"temperature": 1},
    }
    for name in ("generateContentRequest", "generate_content_request"):
        question = json.loads(count({"model": "models/x", name: inner}).body)
        assert question["messages"] == [{"role": "system", "content": "Be kind."}, *MESSAGES]
        assert question["tools"][0]["function"]["name"] == "f"


@table(
    ("body", "path"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({**HELLO, "generateContentRequest": HELLO}, "generateContentRequest"),
        ({"generateContentRequest": {}}, "generateContentRequest.contents"),
        ({"generateContentRequest": {"content": []}}, "generateContentRequest.content"),
        ({**HELLO, "systemInstruction": {}}, "systemInstruction"),
    ],
)
def test_wrong_requests(body: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        count(body)
    assert path in [violation.path for violation in caught.value.violations]


@table(
    ("body", "prompt"),
    [
        (b'{"count":7,"tokens":[1]}', 7),
        (b"not JSON", 0),
        (b'{"detail":"Not Found"}', 0),
    ],
)
def test_a_streams_beginning_tells_the_size_of_the_prompt(body: bytes, prompt: int) -> None:
    """The count at the beginning is the node's, if it can be asked for one. The reply's own count
    comes at the end."""
    asked = {"model": "m", "max_tokens": 9, "stream": True, "messages": MESSAGES}
    made = anthropic_openai.translate(ASKED, asked, context(count_prompt=True))
    assert made.side_request is not None
    made.side_request.take(body)
    stream = made.translator.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    begun = json.loads(stream.partition(b"data: ")[2].partition(b"\n")[0])
    assert begun["message"]["usage"]["input_tokens"] == prompt


def test_what_cannot_be_counted_is_refused() -> None:
    body = {"contents": [{"parts": [{"fileData": {"fileUri": "gs://x"}}, {"text": "a"}]}]}
    with pytest.raises(Unsupported):
        count(body)


def test_nothing_else_to_count_is_refused() -> None:
    body = {"contents": [{"parts": [{"fileData": {"fileUri": "gs://x"}}]}]}
    with pytest.raises(Unsupported):
        count(body)


def test_media_are_left_out_and_that_is_told() -> None:
    for mime in ("image/png", "application/pdf"):
        blob = {"inlineData": {"mimeType": mime, "data": PNG}}
        body = {"contents": [{"parts": [{"text": "a"}, blob, {"text": "b"}]}]}
        made = count(body)
        assert made.headers == ((COUNTED, "text-only"),)
        assert json.loads(made.body)["messages"] == [{"role": "user", "content": "ab"}]
        assert count(body, OLLAMA).headers == ((COUNTED, "estimate"),)


@table("engine", [OLLAMA, OPENAI])
def test_estimates(engine: EngineSpec) -> None:
    answer = count({"contents": [{"parts": [{"text": "12345678" * 10}]}]}, engine)
    assert isinstance(answer, Answered)
    assert answer.headers == ((COUNTED, "estimate"),)
    assert json.loads(answer.body) == {"totalTokens": 20}
    assert json.loads(count({"contents": [{"parts": [{"text": "a"}]}]}, engine).body) == {
        "totalTokens": 1
    }


def test_estimates_count_tools_and_calls() -> None:
    call = {"functionCall": {"name": "f", "args": {"x": "y" * 400}}}
    body = {"contents": [*HELLO["contents"], {"role": "model", "parts": [call]}]}
    assert json.loads(count(body, OLLAMA).body)["totalTokens"] > 100
    tools = [{"functionDeclarations": [{"name": "f", "description": "d" * 400}]}]
    inner = {**HELLO, "tools": tools}
    assert json.loads(count({"generateContentRequest": inner}, OLLAMA).body)["totalTokens"] > 100


@table(("engine", "path"), [(VLLM, "/tokenize"), (LLAMA, "/v1/chat/completions/input_tokens")])
def test_anthropic_messages(engine: EngineSpec, path: str) -> None:
    body = {"model": "m", "messages": MESSAGES, "system": "Be kind."}
    made = anthropic_openai.count(ASKED, body, context(engine))
    assert isinstance(made, TranslatedRequest)
    assert made.path == path
    assert json.loads(made.body)["messages"] == [
        {"role": "system", "content": "Be kind."},
        *MESSAGES,
    ]
    made.translator.feed(b'{"count": 7, "input_tokens": 7}')
    assert json.loads(made.translator.finish()) == {"input_tokens": 7}


def test_anthropic_estimate_and_media() -> None:
    answer = anthropic_openai.count(ASKED, {"model": "m", "messages": MESSAGES}, context(OLLAMA))
    assert json.loads(answer.body) == {"input_tokens": 1}
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "x"}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    made = anthropic_openai.count(ASKED, body, context(VLLM))
    assert made.headers == ((COUNTED, "text-only"),)
    assert json.loads(made.body)["messages"][0]["content"] == "x"


@table(
    ("document", "number"),
    [
        ({"count": 3}, 3),
        ({"input_tokens": 0}, 0),
        ({"tokenize_response": [{}, {}], "templated_text": ""}, 2),
        ([1, 2, 3], 3),
    ],
)
def test_forms_of_a_count(document: Any, number: int) -> None:
    assert read_count(document) == number


@table("document", [{}, {"count": "3"}, {"count": True}, None, 7])
def test_what_is_no_count(document: Any) -> None:
    with pytest.raises(StreamBroken):
        read_count(document)


def test_errors_are_told_in_the_words_of_the_surface() -> None:
    made = anthropic_openai.count(ASKED, {"model": "m", "messages": MESSAGES}, context(VLLM))
    error: ProxyError = made.translator.refuse(503, (), b"")
    assert error.status == 529


THINKS_NOT = {"chat_template_kwargs": {"enable_thinking": False}}
GOES_ON = {"add_generation_prompt": False, "continue_final_message": True}


@table(
    ("engine", "goes_on"),
    [(VLLM, GOES_ON), (LLAMA, {}), (SGLANG, {"add_generation_prompt": True})],
)
def test_a_prompt_is_counted_as_it_will_be_written(
    engine: EngineSpec, goes_on: dict[str, Any]
) -> None:
    """The template writes another prompt if thinking is turned off, or if the last turn is
    continued."""
    off = {} if engine is SGLANG else THINKS_NOT
    begun = {"role": "assistant", "content": "Once"}
    turns = [*HELLO["contents"], {"role": "model", "parts": [{"text": "Once"}]}]
    config = {"thinkingConfig": {"thinkingBudget": 0}}
    gemini = count(
        {"generateContentRequest": {"contents": turns, "generationConfig": config}}, engine
    )
    body = {"model": "m", "messages": [*MESSAGES, begun]}
    anthropic = anthropic_openai.count(ASKED, body, context(engine))
    assert isinstance(anthropic, TranslatedRequest)
    for made in (gemini, anthropic):
        told = json.loads(made.body)
        assert told == {"model": "tiny", "messages": [*MESSAGES, begun], **off, **goes_on}


RESPONSE = Call(Dialect.RESPONSES, Action.COUNT_RESPONSE, None)


def test_a_response_s_prompt_is_the_chat_s() -> None:
    body = {"model": "gpt", "instructions": "Be brief.", "input": "Hello", "tools": []}
    made = responses_openai.count(RESPONSE, body, context(LLAMA))
    assert isinstance(made, TranslatedRequest)
    assert made.path == "/v1/chat/completions/input_tokens"
    assert json.loads(made.body)["messages"] == [
        {"role": "system", "content": "Be brief."},
        *MESSAGES,
    ]
    for piece in read_reply("llama-server.chat-input-tokens").chunks:
        made.translator.feed(piece)
    counted = json.loads(made.translator.finish())
    assert counted == {"object": "response.input_tokens", "input_tokens": 12}


def test_a_response_s_prompt_is_estimated_where_nobody_counts() -> None:
    made = responses_openai.count(RESPONSE, {"model": "gpt", "input": "Hello"}, context(OLLAMA))
    assert isinstance(made, Answered)
    assert made.headers == ((COUNTED, "estimate"),)
    with pytest.raises(Unsupported):
        kept = {"model": "gpt", "input": "Hi", "previous_response_id": "resp_1"}
        responses_openai.count(RESPONSE, kept, context(OLLAMA))
