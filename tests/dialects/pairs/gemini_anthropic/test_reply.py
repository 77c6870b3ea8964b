"""An Anthropic node's stream as a Gemini client gets it, with recordings cut at every byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.pairs import gemini_anthropic
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Framing, Usage
from tests.dialects.asking import context
from tests.dialects.breaking import error_behind
from tests.dialects.reading import frames
from tests.dialects.replies import names, read_reply
from tests.fixtures.effort import examples
from tests.fixtures.table import table

TEXT = "Hello, this is a tiny test model. It says café 😀 and stops here."


def event(kind: str, **more: Any) -> bytes:
    told = json.dumps({"type": kind, **more}).encode()
    return b"event: " + kind.encode() + b"\ndata: " + told + b"\n\n"


def start(**counts: Any) -> bytes:
    return event("message_start", message={"id": "msg_1", "model": "tiny", "usage": counts})


def block(index: int = 0, **of: Any) -> bytes:
    return event("content_block_start", index=index, content_block=of)


def delta(kind: str, index: int = 0, **of: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **of})


def text(words: str, index: int = 0) -> bytes:
    return delta("text_delta", index, text=words)


def ending(reason: Any = "end_turn", **counts: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=counts) + STOP


STOP = event("message_stop")
BEGIN = start(input_tokens=5, output_tokens=1) + block(type="text", text="")


def translator(framing: Framing = Framing.SSE, **wanted: Any) -> Translator:
    return gemini_anthropic.make_translator(context(), framing, **wanted)


def play(*stream: bytes, framing: Framing = Framing.SSE, **wanted: Any) -> bytes:
    reader = translator(framing, **wanted)
    return b"".join([reader.feed(piece) for piece in stream]) + reader.finish()


def parts(*stream: bytes, **wanted: Any) -> list[Any]:
    chunks = frames(play(*stream, **wanted))
    return [chunk["candidates"][0]["content"]["parts"] for chunk in chunks]


def last(*stream: bytes, **wanted: Any) -> dict[str, Any]:
    return frames(play(*stream, **wanted))[-1]


def test_text() -> None:
    stream = [BEGIN, text("a"), event("ping"), text("b"), event("content_block_stop", index=0)]
    chunks = frames(play(*stream, ending(output_tokens=7)))
    assert [one["candidates"][0]["content"]["parts"] for one in chunks] == [
        [{"text": "a"}],
        [{"text": "b"}],
        [{"text": ""}],
    ]
    assert chunks[-1] == {
        "candidates": [
            {
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 7,
            "totalTokenCount": 12,
        },
        "modelVersion": "tiny",
        "responseId": "msg_1",
    }


def test_thoughts() -> None:
    stream = [
        start(),
        block(0, type="thinking", thinking="s"),
        delta("thinking_delta", thinking="t"),
        block(1, type="text", text="first"),
        text("a", 1),
        delta("signature_delta", signature="x"),
        delta("citations_delta", citation={}),
        block(2, type="redacted_thinking", data="x"),
        ending(),
    ]
    assert parts(*stream, thoughts=True) == [
        [{"text": "s", "thought": True}],
        [{"text": "t", "thought": True}],
        [{"text": "first"}],
        [{"text": "a"}],
        [{"text": ""}],
    ]
    assert parts(*stream) == [[{"text": "first"}], [{"text": "a"}], [{"text": ""}]]


def test_calls() -> None:
    stream = [
        BEGIN,
        text("Wait."),
        block(1, type="tool_use", id="x", name="f"),  # llama-server leaves ``input`` out
        block(2, type="tool_use", id="y", name="g_h", input={}),
        delta("input_json_delta", 2, partial_json=""),
        delta("input_json_delta", 1, partial_json='{"a"'),
        delta("input_json_delta", 1, partial_json=":1}"),
        block(3, type="tool_use", name="whole", input={"b": 2}),
        block(4, type="server_tool_use", id="z", name="web_search"),
        delta("input_json_delta", 4, partial_json='{"query": "x"}'),
        ending("tool_use"),
    ]
    assert parts(*stream, names={"g_h": "g.h"}) == [
        [{"text": "Wait."}],
        [
            {"functionCall": {"id": "x", "name": "f", "args": {"a": 1}}},
            {"functionCall": {"id": "y", "name": "g.h", "args": {}}},
            {"functionCall": {"id": "r1-3", "name": "whole", "args": {"b": 2}}},
        ],
    ]


def test_calls_that_are_not_whole() -> None:
    stream = [start(), block(0, type="tool_use", id="x", name="f")]
    stream.append(delta("input_json_delta", 0, partial_json='{"a'))
    (candidate,) = last(*stream, ending("tool_use"))["candidates"]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert candidate["finishMessage"]
    assert candidate["content"]["parts"] == [{"text": ""}]
    (candidate,) = last(*stream, ending("max_tokens"))["candidates"]
    assert candidate["finishReason"] == "MAX_TOKENS"
    unnamed = block(0, type="tool_use", id="x")
    (candidate,) = last(unnamed, ending("tool_use"))["candidates"]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"


@table(
    ("told", "reason"),
    [
        ("end_turn", "STOP"),
        ("stop_sequence", "STOP"),
        ("tool_use", "STOP"),
        ("max_tokens", "MAX_TOKENS"),
        ("model_context_window_exceeded", "MAX_TOKENS"),
        ("refusal", "SAFETY"),
        ("pause_turn", "OTHER"),
    ],
)
def test_stop_reasons(told: str, reason: str) -> None:
    (candidate,) = last(BEGIN, text("a"), ending(told))["candidates"]
    assert candidate["finishReason"] == reason
    assert ("finishMessage" in candidate) is (reason == "SAFETY")


@table("told", ["abort", "strange", "END_TURN", 7, {"type": "abort"}])
@table("framing", [Framing.SSE, Framing.JSON_ARRAY, Framing.UNARY])
def test_any_other_stop_reason_ends_no_answer(told: Any, framing: Framing) -> None:
    reader = translator(framing)
    reader.feed(BEGIN + text("a"))
    with pytest.raises(StreamBroken):
        reader.feed(ending(told))
    assert not reader.complete


def test_usage_adds_up_what_anthropic_tells_apart() -> None:
    counts = {"cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}
    details = {"thinking_tokens": 4}
    stream = [
        start(input_tokens=5, output_tokens=1, **counts),
        text("a"),
        ending(output_tokens=9, output_tokens_details=details),
    ]
    assert last(*stream)["usageMetadata"] == {
        "promptTokenCount": 10,
        "candidatesTokenCount": 5,
        "cachedContentTokenCount": 3,
        "thoughtsTokenCount": 4,
        "totalTokenCount": 19,
    }
    reader = translator()
    assert reader.usage == Usage()
    reader.feed(b"".join(stream))
    assert reader.usage == Usage(10, 9, 3, 4)
    assert "usageMetadata" not in last(text("a"), ending())
    odd = start(input_tokens="x", output_tokens=True, cache_read_input_tokens=-1)
    assert "usageMetadata" not in last(odd, ending())


@table(
    "stream",
    [
        [],
        [BEGIN],
        [BEGIN, text("a")],
        [BEGIN, text("a"), STOP],
        [BEGIN, ending(None)],
        [BEGIN, event("message_delta", delta={"stop_reason": "end_turn"})[:-20]],
        [BEGIN, text("a"), event("error", error={"type": "x", "message": "at /usr"})],
        # llama-server: without the outer wrapper.
        [BEGIN, b'event: error\ndata: {"code": 500, "message": "at /usr", "type": "x"}\n\n'],
        [BEGIN, b'data: {"error": {"message": "at /usr"}}\n\n'],
        [BEGIN, b"data: nonsense\n\n"],
        [BEGIN, b"data: [DONE]\n\n"],
        [BEGIN, delta("input_json_delta", 7, partial_json="{")],
        [b'{"type": "message", "content": []}'],
        [b'{"type": "message", "content": {}, "stop_reason": "end_turn"}'],
        [b'{"type": "message", "content": [7], "stop_reason": "end_turn"}'],
        [b'{"type": "other"}'],
        [b'{"type": "error", "error": {"message": "x"}}'],
    ],
)
@table("framing", [Framing.SSE, Framing.UNARY])
def test_an_end_is_never_invented(stream: list[bytes], framing: Framing) -> None:
    reader = translator(framing)
    got = b""

    def run() -> None:
        nonlocal got
        for piece in stream:
            got += reader.feed(piece)
        got += reader.finish()

    with pytest.raises(StreamBroken) as caught:
        run()
    assert "usr" not in caught.value.message
    assert b"finishReason" not in got
    assert not reader.complete


def test_a_missing_stop_is_an_error_even_with_a_reason() -> None:
    reader = translator()
    reader.feed(BEGIN + event("message_delta", delta={"stop_reason": "end_turn"}))
    with pytest.raises(StreamBroken):
        reader.finish()


def test_calls_are_bounded() -> None:
    reader = translator()
    reader.feed(block(0, type="tool_use", id="x", name="f"))
    much = delta("input_json_delta", partial_json="x" * 2**23)
    for _ in range(MAX_HELD_BYTES // 2**23):
        reader.feed(much)
    with pytest.raises(StreamBroken):
        reader.feed(much)


STREAMS = names("*.messages-stream*")


def run(pieces: list[bytes], framing: Framing = Framing.SSE) -> bytes:
    return play(*pieces, framing=framing, thoughts=True)


def told(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"text": "", "thought": "", "calls": [], "finish": None}
    for chunk in chunks:
        (candidate,) = chunk["candidates"]
        found["finish"] = candidate.get("finishReason")
        for part in candidate["content"]["parts"]:
            if "functionCall" in part:
                call = part["functionCall"]
                found["calls"].append((call["name"], call["args"]))
            else:
                found["thought" if part.get("thought") else "text"] += part["text"]
    return found


@table("name", STREAMS)
def test_recorded_streams_at_every_split(name: str) -> None:
    reply = read_reply(name)
    body = reply.body
    whole = run([body])
    assert run(reply.chunks) == whole
    for size in (1, 7, 100):
        assert run([body[at : at + size] for at in range(0, len(body), size)]) == whole
    found = told(frames(whole))
    assert told([json.loads(run(reply.chunks, Framing.UNARY))]) == found
    if "tools" in name:
        assert found["calls"] == [("get_weather", {"city": "Paris"})]
        assert found["finish"] == "STOP"
    elif "length" in name:
        assert found["text"] == "Hello, this is a tiny test model. It"
        assert found["finish"] == "MAX_TOKENS"
    elif "stop" in name:
        assert found["text"] == "Hello, this is a"
        assert found["finish"] == "STOP"
    elif "ping" not in name:
        assert found["text"].strip() == TEXT
        assert ("wants some reply" in found["thought"]) is ("thinks" in name)


@table("name", names("*.messages-stream-tools", "*.messages-stream-length"))
def test_recorded_streams_at_every_cut(name: str) -> None:
    body = read_reply(name).body
    wanted = told(frames(run([body])))
    for cut in range(len(body)):
        reader = translator(thoughts=True)
        try:
            got = reader.feed(body[:cut]) + reader.finish()
        except StreamBroken:
            continue
        assert told(frames(got)) == wanted


@table("name", names("*.messages", "*.messages-tools", "*.messages-thinking*"))
@table("framing", [Framing.SSE, Framing.UNARY])
def test_recorded_bodies(name: str, framing: Framing) -> None:
    reply = run(read_reply(name).chunks, framing)
    found = told(frames(reply) if framing is Framing.SSE else [json.loads(reply)])
    assert found["finish"] == "STOP"
    if "tools" in name:
        assert found["calls"] == [("get_weather", {"city": "Paris"})]
    else:
        assert found["text"].strip() == TEXT


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
KINDS = st.sampled_from(["text", "thinking", "tool_use", "x"])
PIECES = st.one_of(
    st.sampled_from([BEGIN, STOP, ending(), ending("tool_use", output_tokens=3), event("ping")]),
    st.builds(text, st.text(max_size=4), st.integers(-1, 2)),
    st.builds(lambda kind, at, said: block(at, type=kind, text=said, thinking=said, input=said,
                                           id=said, name=said), KINDS, st.integers(-1, 2), JSON),
    st.builds(lambda kind, said: delta(f"{kind}_delta", text=said, thinking=said,
                                       partial_json=said),
              st.sampled_from(["text", "thinking", "input_json", "x"]), JSON),
    st.builds(lambda kind, said: event(kind, index=said, message=said, delta=said, usage=said,
                                       content_block=said),
              st.sampled_from(["message_start", "content_block_start", "content_block_delta",
                               "message_delta", "x"]), JSON),
    st.builds(lambda said: json.dumps({"type": "message", "content": said}).encode(), JSON),
    st.binary(max_size=9),
)  # fmt: skip


@examples(200)
@given(st.lists(PIECES, max_size=8), st.sampled_from([Framing.SSE, Framing.UNARY]))
def test_any_bytes_give_frames_or_the_one_error(pieces: list[bytes], framing: Framing) -> None:
    reader = translator(framing, thoughts=True)
    got = b""
    broken = False
    try:
        for piece in pieces:
            got += reader.feed(piece) + reader.keepalive()
        got += reader.finish()
    except StreamBroken:
        broken = True
        got += error_behind(reader, framing)
    if framing is Framing.SSE:
        chunks = frames(got)
    else:
        assert not (broken and got)
        chunks = [] if broken else [json.loads(got)]
    candidates = [one for chunk in chunks for one in chunk.get("candidates", ())]
    assert all(one["content"]["parts"] for one in candidates)
    assert any("finishReason" in one for one in candidates) is not broken
