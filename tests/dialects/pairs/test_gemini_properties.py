"""Properties of every Gemini request and of everything that an OpenAI node may send."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from casedesk_proxy.dialects.pairs import gemini_openai
from casedesk_proxy.dialects.pairs.gemini_openai import embed_batch, embed_one
from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, StreamBroken, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.dialects.asking import context, translated
from tests.dialects.breaking import error_behind
from tests.dialects.reading import DONE, delta, event, frames, translator, usage
from tests.fixtures.effort import examples
from tests.fixtures.sdks import openai

ENGINE = st.sampled_from(list(ENGINES.values()))
WORDS = st.text(max_size=6)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(-2, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)


@cache
def chat_request() -> TypeAdapter[Any]:
    """A whole chat request, as the openai SDK accepts it."""
    return TypeAdapter(openai.types.chat.completion_create_params.CompletionCreateParamsStreaming)


def check_openai(body: bytes) -> dict[str, Any]:
    """What the SDK would send, or an error. Its lists are lazy, so they are read to the end."""
    chat = json.loads(body)
    for message in chat.get("messages", ()):
        if isinstance(message.get("content"), list):  # video is an extension of the engines
            parts = [part for part in message["content"] if "video" not in part["type"]]
            message["content"] = parts or "video"
    return {key: _read(value) for key, value in chat_request().validate_python(chat).items()}


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _read(one) for key, one in value.items()}
    return value if isinstance(value, str | int | float | None) else [_read(one) for one in value]


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


# Valid requests


BLOBS = st.builds(
    lambda mime, data, urlsafe: {
        "mimeType": mime,
        "data": (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(data).decode(),
    },
    st.sampled_from(
        ["image/png", "image/webp", "audio/wav", "video/mp4", "text/plain", "application/pdf"]
    ),
    st.binary(min_size=1, max_size=5).map(lambda data: data.hex().encode()),
    st.booleans(),
)
NAMES = st.sampled_from(["f", "g", "a.b", "x" * 64])
TEXTS = st.builds(lambda text: {"text": text}, WORDS)
ASKS = st.builds(
    lambda name, args, ident: {"functionCall": {"name": name, "args": args, **ident}},
    NAMES,
    OBJECTS,
    st.sampled_from([{}, {"id": "1"}]),
)
THOUGHTS = st.builds(lambda text: {"text": text, "thought": True}, WORDS)
REFUSED_PARTS = st.sampled_from([{"fileData": {"fileUri": "gs://x"}}, {"executableCode": {}}])


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "Hello"}]}]
    for _ in range(draw(st.integers(0, 3))):
        said = draw(st.lists(TEXTS | ASKS | THOUGHTS, min_size=1, max_size=3))
        contents.append({"role": "model", "parts": said})
        answers = [
            {"functionResponse": {**part["functionCall"], "response": draw(OBJECTS)}}
            for part in said
            if "functionCall" in part
        ]
        for answer in answers:
            answer["functionResponse"].pop("args")
        more = draw(st.lists(TEXTS | BLOBS.map(lambda blob: {"inlineData": blob}), max_size=2))
        turn = draw(st.permutations([*answers, *more]))
        contents.append({"role": draw(st.sampled_from(["user", "function"])), "parts": turn})
    if draw(st.integers(0, 9)) == 0:
        contents.append({"parts": [draw(REFUSED_PARTS)]})
    return contents


SCHEMAS = st.deferred(
    lambda: st.one_of(
        st.builds(lambda kind: {"type": kind}, st.sampled_from(["STRING", "number", 3, "BOOLEAN"])),
        st.builds(lambda enum: {"type": "STRING", "enum": enum}, st.lists(WORDS, min_size=1)),
        st.builds(lambda items: {"type": "ARRAY", "items": items, "minItems": "1"}, SCHEMAS),
        st.builds(
            lambda inner, nullable: {
                "type": 6,
                "properties": inner,
                "required": list(inner)[:1],
                "propertyOrdering": list(inner)[::-1],
                "nullable": nullable,
            },
            st.dictionaries(
                st.sampled_from(["type", "enum", "format", "required", "x"]), SCHEMAS, max_size=2
            ),
            st.booleans(),
        ),
    )
)
DECLARATIONS = st.lists(
    st.builds(
        lambda name, more: {"name": name, **more},
        NAMES,
        st.one_of(
            st.just({}),
            st.builds(lambda schema: {"description": "d", "parameters": schema}, SCHEMAS),
            st.just({"parametersJsonSchema": {"type": "object", "properties": {}}}),
        ),
    ),
    unique_by=lambda one: one["name"],
    max_size=3,
)
CONFIGS = some(
    temperature=st.floats(0, 2),
    topP=st.floats(0, 1),
    topK=st.integers(0, 100).map(float),
    candidateCount=st.integers(1, 8),
    maxOutputTokens=st.integers(1, 1000),
    stopSequences=st.lists(st.text(min_size=1, max_size=3), max_size=5),
    seed=st.integers(-(2**31), 2**31 - 1),
    presencePenalty=st.floats(-2, 2),
    frequencyPenalty=st.floats(-2, 2),
    responseLogprobs=st.booleans(),
    responseModalities=st.sampled_from([[], ["TEXT"], ["AUDIO"]]),
    thinkingConfig=some(includeThoughts=st.booleans()),
    mediaResolution=st.sampled_from(["MEDIA_RESOLUTION_LOW", 3]),
)
FORMATS = st.one_of(
    st.just({}),
    st.just({"responseMimeType": "application/json"}),
    st.builds(
        lambda schema: {"responseMimeType": "application/json", "responseSchema": schema}, SCHEMAS
    ),
    st.just({"responseMimeType": "text/x.enum"}),
)
THINKING = st.sampled_from(
    [{}, {"thinkingBudget": 0}, {"thinkingBudget": 3000}, {"thinkingLevel": "HIGH"}]
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    config = draw(CONFIGS) | draw(FORMATS)
    config["thinkingConfig"] = {**config.get("thinkingConfig", {}), **draw(THINKING)}
    if config.get("responseLogprobs"):
        config["logprobs"] = draw(st.integers(0, 20))
    body: dict[str, Any] = {"contents": draw(conversations()), "generationConfig": config}
    declarations = draw(DECLARATIONS)
    if declarations:
        body["tools"] = [{"functionDeclarations": declarations}]
        mode = draw(st.sampled_from(["AUTO", "ANY", "NONE", "VALIDATED", 1, 2]))
        calling: dict[str, Any] = {"mode": mode}
        if mode in ("ANY", "VALIDATED") and draw(st.booleans()):
            calling["allowedFunctionNames"] = [declarations[0]["name"]]
        body["toolConfig"] = {"functionCallingConfig": calling}
    return body | draw(
        some(
            systemInstruction=st.builds(lambda part: {"parts": [part]}, TEXTS),
            safetySettings=st.just([{"category": 7, "threshold": 4}]),
            cachedContent=st.sampled_from(["", "cachedContents/1"]),
        )
    )


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(requests(), ENGINE, st.booleans())
def test_a_valid_request_is_one_for_openai_or_refused(
    body: dict[str, Any], engine: EngineSpec, fold: bool
) -> None:
    try:
        made = translated(body, engine, fold_system=fold)
    except Unsupported as refusal:
        found = refusal
    else:
        messages = check_openai(made.body)["messages"]
        if messages[-1] == {"role": "user", "content": ""} and _says_nothing(body["contents"][-1]):
            messages.pop()  # An empty text that stands alone at the end is what is to be answered.
        check_messages(messages, fold)
        return
    assert found.violations
    for violation in found.violations:
        assert violation.path.partition("[")[0].partition(".")[0] in body


def _says_nothing(content: dict[str, Any]) -> bool:
    return all(part.get("text") == "" for part in content["parts"])


def check_messages(messages: list[dict[str, Any]], fold: bool) -> None:
    """Roles alternate, and every result follows its call."""
    waiting: set[str] = set()
    before = ""
    for message in messages:
        role = message["role"]
        if role == "tool":
            waiting.remove(message["tool_call_id"])
            before = role
            continue
        if role == "system":
            assert before == ""
            assert not fold
        assert role != before
        before = role
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
        assert message["content"] or waiting


@given(requests(), st.data())
def test_spellings_do_not_matter(body: dict[str, Any], data: st.DataObject) -> None:
    def respell(value: Any, key: str = "") -> Any:
        if key in ("args", "response", "properties", "parametersJsonSchema"):
            if key != "properties":
                return value
            return {name: respell(one) for name, one in value.items()}
        if isinstance(value, dict):
            return {snake(name): respell(one, name) for name, one in value.items()}
        return [respell(one) for one in value] if isinstance(value, list) else value

    def snake(name: str) -> str:
        return "".join("_" + mark.lower() if mark.isupper() else mark for mark in name)

    engine = data.draw(ENGINE)
    results = []
    for spelled in (body, respell(body)):
        try:
            results.append(translated(spelled, engine).body)
        except Unsupported as refusal:
            results.append(refusal.violations)
    assert results[0] == results[1]


# Anything at all


KEYS = st.sampled_from(
    ["contents", "parts", "text", "role", "inlineData", "mime_type", "data", "functionCall", "name",
     "args", "functionResponse", "response", "tools", "functionDeclarations", "parameters", "type",
     "properties", "required", "items", "enum", "anyOf", "parametersJsonSchema", "$ref", "$defs",
     "toolConfig", "functionCallingConfig", "mode", "allowedFunctionNames", "generationConfig",
     "responseSchema", "responseMimeType", "responseJsonSchema", "thinkingConfig", "stopSequences",
     "logprobs", "systemInstruction", "nullable", "minItems", "propertyOrdering", "content",
     "requests", "outputDimensionality", "generateContentRequest", "mediaResolution"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["user", "model", "x", "application/json", "image/png", "AAAA", "OBJECT", "STRING", "ANY",
     "#/$defs/x", "999999999999999999999", "NaN", 1, 6, 2, -1, 1e300, 2**63, True, None]
)  # fmt: skip
MESS: st.SearchStrategy[Any] = st.recursive(
    VALUES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@examples(300)
@given(st.dictionaries(KEYS, MESS, max_size=4), ENGINE, st.booleans())
def test_any_object_is_made_over_or_refused(
    body: dict[str, Any], engine: EngineSpec, strict: bool
) -> None:
    call = Call(Dialect.GEMINI, Action.GENERATE, None, "m")
    asked = context(engine, refuse_unknown=strict)
    whole = {**body, "contents": body.get("contents") or [{"parts": [{"text": "x"}]}]}
    for make, given_body in (
        (lambda: translated(whole, engine, refuse_unknown=strict), whole),
        (lambda: gemini_openai.count(call, body, asked), body),
        (lambda: embed_one(call, body, asked), body),
        (lambda: embed_batch(call, body, asked), body),
    ):
        try:
            made = make()
        except (BadRequest, Unsupported) as fault:
            problem = fault
        else:
            json.loads(made.body)
            continue
        assert problem.status == 400, given_body
        assert problem.violations
        assert all(violation.path for violation in problem.violations)


LOGGED = st.builds(lambda said: {"token": said, "logprob": said, "top_logprobs": [said]}, JSON)
PIECES = st.one_of(
    st.sampled_from([DONE, b"data: ", b"\n\n", b"\r\n", b":\n\n", b"{", b"}", b"data: [DONE]"]),
    st.builds(delta, WORDS | st.none(), st.sampled_from([None, "stop", "length", "x"]),
              st.integers(0, 2)),
    st.builds(lambda said: event(choices=[said]), JSON),
    st.builds(lambda said: event(choices=[{"delta": said}]), JSON),
    st.builds(
        lambda key, said: event(choices=[{"delta": {key: said}}]),
        st.sampled_from(["content", "tool_calls", "reasoning", "refusal", "function_call"]),
        JSON,
    ),
    st.builds(lambda said: event(choices=[{"index": said, "delta": {"content": "x"}}]), JSON),
    st.builds(lambda said: event(choices=[{"logprobs": {"content": said}, "delta": {}}]),
              st.lists(OBJECTS | LOGGED)),
    st.builds(lambda said: event(choices=[], usage=said), JSON),
    st.builds(usage, st.integers(0, 9), st.integers(0, 9)),
    st.builds(lambda said: event(**{str(key): one for key, one in said.items()}), OBJECTS),
    st.binary(max_size=9),
)  # fmt: skip


@examples(300)
@given(
    st.lists(PIECES, max_size=8),
    st.sampled_from([Framing.SSE, Framing.JSON_ARRAY, Framing.UNARY]),
    st.sampled_from(["", "genai-js/0.24.1"]),
    st.booleans(),
)
def test_any_bytes_give_frames_or_the_one_error(
    pieces: list[bytes], framing: Framing, client: str, beats: bool
) -> None:
    reader = translator(framing, client, thoughts=True)
    got = b""
    broken = False
    try:
        for piece in pieces:
            got += reader.feed(piece) + (reader.keepalive() if beats else b"")
        got += reader.finish()
    except StreamBroken:
        broken = True
        got += error_behind(reader, framing)
        if framing is Framing.JSON_ARRAY:
            got += b"]"
    if broken and framing is Framing.UNARY:
        assert got == b""
        return
    if framing is Framing.SSE:
        told = frames(got)
    else:
        told = json.loads(got) if framing is Framing.JSON_ARRAY else [json.loads(got)]
    assert ("error" in told[-1]) is broken
    for chunk in told[: len(told) - broken]:
        assert chunk["candidates"]
        assert all(one["content"]["parts"] for one in chunk["candidates"])
    ended = [
        one
        for chunk in told[: len(told) - broken]
        for one in chunk["candidates"]
        if "finishReason" in one
    ]
    assert bool(ended) is not broken


def test_the_checks_themselves_can_fail() -> None:
    with pytest.raises(ValueError, match="messages"):
        check_openai(b'{"model": "x", "stream": true}')
    with pytest.raises(ValueError, match="role"):
        check_openai(b'{"model": "x", "stream": true, "messages": [{"role": 3}]}')
