"""Properties of every request and of everything that a node may send."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, StreamBroken, Unsupported
from tests.dialects.anthropic_asking import asking, image, result, said, text, translated, used
from tests.dialects.pairs.anthropic_openai.test_reply import (
    DONE,
    blocks,
    calls,
    chunk,
    event,
    events,
    fragment,
    usage,
)
from tests.dialects.pairs.anthropic_openai.test_sdk import check_request

ENGINE = st.sampled_from(
    [engine for name, engine in ENGINES.items() if name not in ("gemini", "anthropic")]
)
WORDS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
#: Things that are nearly right.
ODD = JSON | st.sampled_from(
    [{"type": "text"}, {"type": "base64"}, {"type": "tool", "name": {}}, {"type": []}, [[]], [{}]]
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


TEXTS = WORDS.map(text)
IMAGES = st.sampled_from(["image/png", "image/jpeg", "image/gif", "image/webp"]).map(image)
SOURCES = st.sampled_from(
    [
        {"type": "text", "media_type": "text/plain", "data": "x"},
        {"type": "content", "content": [text("x"), image()]},
        {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
        {"type": "url", "url": "https://example.com/x"},
        {"type": "file", "file_id": "x"},
    ]
)
DOCUMENTS = st.builds(lambda source: {"type": "document", "source": source}, SOURCES)
SERVER = st.sampled_from(["server_tool_use", "mcp_tool_use", "container_upload"]).map(
    lambda kind: {"type": kind}
)
THOUGHTS = WORDS.map(lambda words: {"type": "thinking", "thinking": words, "signature": ""})
NAMES = st.sampled_from(["f", "g", "mcp__" + "x" * 100, "with.dot"])
USES = st.builds(lambda name, args: (name, args), NAMES, st.dictionaries(WORDS, JSON, max_size=2))
RESULT = st.one_of(WORDS, st.lists(TEXTS | IMAGES, max_size=2))


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns whose calls all have results, as Anthropic requires."""
    turns: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for number in range(draw(st.integers(1, 4))):
        content = draw(st.lists(TEXTS | IMAGES | DOCUMENTS | SERVER, max_size=2))
        for ident in draw(st.permutations(open_calls)):
            block = result(ident, is_error=draw(st.booleans()))
            block["content"] = draw(RESULT)
            content.insert(draw(st.integers(0, len(content))), block)
        turns.append(said("user", content or [text("Hi")]))
        if draw(st.booleans()):
            turns.append(said("system", draw(WORDS)))
        if draw(st.booleans()):
            calls = draw(st.lists(USES, max_size=2))
            open_calls = [f"call_{number}_{at}" for at in range(len(calls))]
            answer = draw(st.lists(TEXTS | THOUGHTS, max_size=2))
            for ident, (name, args) in zip(open_calls, calls, strict=True):
                answer.append({**used(ident, name), "input": args})
            turns.append(said("assistant", answer or "Ho"))
        else:
            open_calls = []
    return turns


SCHEMAS = st.sampled_from(
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {}, "additionalProperties": False},
    ]
)
TOOLS = st.lists(
    st.builds(lambda name, schema: {"name": name, "input_schema": schema}, NAMES, SCHEMAS),
    max_size=3,
    unique_by=lambda tool: tool["name"],
)
REQUESTS = st.builds(
    lambda turns, fields: asking(*turns, **fields),
    conversations(),
    optional(
        system=WORDS | st.lists(TEXTS, max_size=2),
        tools=TOOLS | st.just([{"type": "bash_20250124", "name": "bash"}]),
        tool_choice=st.sampled_from([{"type": "auto"}, {"type": "none"}, {"type": "any"}]),
        thinking=st.sampled_from(
            [{"type": "adaptive"}, {"type": "disabled"}, {"type": "enabled", "budget_tokens": 2000}]
        ),
        output_config=optional(
            effort=st.sampled_from(["low", "max"]),
            format=SCHEMAS.map(lambda schema: {"type": "json_schema", "schema": schema}),
        ),
        stop_sequences=st.lists(st.text(min_size=1, max_size=3), max_size=6),
        temperature=st.floats(0, 1),
        top_p=st.floats(0, 1),
        top_k=st.integers(0, 100),
        metadata=st.just({"user_id": "u"}),
        stream=st.booleans(),
    ),
)


def sent(body: dict[str, Any], engine: EngineSpec, **changes: Any) -> dict[str, Any] | ProxyError:
    """The node's request, which openai's types accept, or the refusal. Nothing else is allowed."""
    try:
        made = translated(body, engine, **changes)
    except (BadRequest, Unsupported) as fault:
        return fault
    return check_request(made.body)


@given(REQUESTS, ENGINE, st.booleans(), st.booleans())
def test_a_valid_request_is_made_over_or_refused(
    body: dict[str, Any], engine: EngineSpec, fold: bool, first: bool
) -> None:
    made = sent(body, engine, fold_system=fold, system_first=first)
    if isinstance(made, ProxyError):
        assert made.status == 400
        assert all(one.path.partition(".")[0] in body for one in made.violations)
        return
    _check_order(made["messages"])


def _check_order(messages: list[dict[str, Any]]) -> None:
    """Results follow the turn that they answer; no role but theirs is repeated."""
    waiting: set[str] = set()
    for before, message in itertools.pairwise([{"role": ""}, *messages]):
        if message["role"] == "tool":
            assert before["role"] in ("assistant", "tool")
            waiting.remove(message["tool_call_id"])
        else:
            assert message["role"] != before["role"]
            waiting = {call["id"] for call in message.get("tool_calls", ())}


FIELDS = (
    "system", "messages", "tools", "tool_choice", "thinking", "output_config", "output_format",
    "stop_sequences", "temperature", "top_p", "top_k", "max_tokens", "mcp_servers", "stream",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=4), ENGINE)
def test_no_request_fails_otherwise(odd: dict[str, Any], engine: EngineSpec) -> None:
    made = sent({**asking(), **odd}, engine)
    assert made.violations if isinstance(made, ProxyError) else made["messages"]


@given(
    st.sampled_from(["user", "assistant", "system"]),
    st.lists(
        st.builds(
            lambda kind, fields: {"type": kind, **fields},
            st.sampled_from(
                ["text", "image", "document", "tool_use", "tool_result", "thinking", "other"]
            ),
            st.dictionaries(
                st.sampled_from(["text", "source", "id", "name", "input", "content", "thinking"]),
                ODD,
                max_size=3,
            ),
        ),
        max_size=3,
    ),
    ENGINE,
)
def test_no_block_fails_otherwise(role: str, content: list[Any], engine: EngineSpec) -> None:
    made = sent(asking("Hi", said(role, content)), engine)
    if isinstance(made, ProxyError):
        assert all(one.path.startswith("messages") for one in made.violations)


# Replies

FRAGMENTS = st.builds(
    fragment,
    st.sampled_from([0, 0, 0, 1, 1, 2, None, "x", -1]),
    st.sampled_from([None, None, "call_aaaa", "call_bbbb", "0", 7]),
    st.sampled_from([None, "f", "g", 7]),
    st.sampled_from([None, "", "{", "}", "{}", '{"x":1}', '"x":1', "null", "[", {}, 7]),
)
CHUNKS = st.one_of(
    st.sampled_from(["a", " ", "\n", "é\u2028", ""]).map(lambda words: chunk({"content": words})),
    st.sampled_from(["a", "\n"]).map(lambda words: chunk({"reasoning": words})),
    st.lists(FRAGMENTS, max_size=2).map(lambda them: calls(*them)),
    st.sampled_from(
        [b":\n\n", chunk({"role": "assistant", "content": ""}), event({"choices": []})]
    ),
)
ENDINGS = st.lists(
    st.sampled_from(
        [
            chunk(finish="stop"),
            chunk(finish="tool_calls"),
            chunk(finish="length"),
            chunk(finish="stop", stop_reason="x"),
            chunk(finish="abort"),
            usage(),
            DONE,
        ]
    ),
    max_size=3,
)
STREAMS = st.builds(lambda one, two: [*one, *two], st.lists(CHUNKS, max_size=8), ENDINGS)
ASKED: dict[str, Any] = {"thinking": {"type": "adaptive"}, "stop_sequences": ["x"]}


def read(pieces: list[bytes], stream: bool) -> bytes | None:
    made = translated(asking(**ASKED, stream=stream)).translator
    try:
        return b"".join([made.feed(piece) for piece in pieces]) + made.finish()
    except StreamBroken:
        assert not made.complete
        return None


@given(STREAMS)
def test_both_forms_say_the_same(pieces: list[bytes]) -> None:
    stream, body = read(pieces, True), read(pieces, False)
    assert (stream is None) == (body is None)
    if stream is None or body is None:
        return
    message = json.loads(body)
    shown = blocks(events(stream))
    if message["stop_reason"] == "stop_sequence":
        # A call that was cut is shown as far as it came, but is no part of the message.
        assert len(message["content"]) <= len(shown)
        return
    assert [block["type"] for block in message["content"]] == [block["type"] for block in shown]
    for one, other in zip(message["content"], shown, strict=True):
        if one["type"] != "tool_use":
            assert one == other
            assert one[one["type"]].strip() or len(shown) == 1
        elif message["stop_reason"] == "tool_use":
            assert one == other | {"input": json.loads(other["input"])}
            assert isinstance(one["input"], dict)


@given(STREAMS, st.lists(st.integers(0, 2000)))
def test_every_split_gives_the_same(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    edges = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    split = [whole[a:b] for a, b in itertools.pairwise(edges)]
    assert read(split, True) == read([whole], True)


@given(st.lists(JSON.map(lambda value: event({"choices": [value]})) | st.binary(max_size=30)))
def test_no_bytes_fail_otherwise(pieces: list[bytes]) -> None:
    for stream in (True, False):
        read(pieces, stream)


@given(
    st.dictionaries(st.sampled_from(["content", "reasoning", "refusal", "tool_calls"]), ODD),
    st.dictionaries(st.sampled_from(["finish_reason", "stop_reason", "matched_stop"]), ODD),
    st.dictionaries(st.sampled_from(["id", "usage", "model", "error"]), ODD),
)
def test_no_chunk_fails_otherwise(delta: Any, choice: Any, more: Any) -> None:
    piece = event({"choices": [{"delta": delta, **choice}], **more})
    body = json.dumps({"choices": [{"message": delta, **choice}], **more}).encode()
    for stream in (True, False):
        read([piece, piece, chunk(finish="stop"), DONE], stream)
        read([body], stream)
