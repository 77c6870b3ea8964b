"""A chat completion's stream as a Gemini client gets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.pairs.gemini_openai import translate
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Framing, Usage
from tests.dialects.asking import call, context, with_config
from tests.dialects.breaking import ENVELOPE, error_behind
from tests.dialects.reading import (
    DONE,
    breaks,
    delta,
    event,
    frames,
    last,
    parts,
    play,
    translator,
    usage,
)
from tests.fixtures.table import table

ROLE = delta(role="assistant")
STOP = delta(finish="stop")
END = [STOP, usage(12, 30), DONE]


def tool(index: int | None = 0, **call: Any) -> bytes:
    fragment: dict[str, Any] = {} if index is None else {"index": index}
    if "id" in call:
        fragment["id"] = call.pop("id")
    return delta(tool_calls=[{**fragment, "function": call}])


def called(name: str, args: Any, ident: str | None = None) -> dict[str, Any]:
    call = {"name": name, "args": args}
    return {"functionCall": call if ident is None else {"id": ident, **call}}


# The two worked streams


THINKING = [
    delta(role="assistant", content=None),
    delta(reasoning_content="Hm."),
    b":\n\n",
    delta("Hel"),
    delta("lo"),
    STOP,
    usage(12, 30, prompt_tokens_details={"cached_tokens": 11}),
    DONE,
]


def test_text_with_thoughts() -> None:
    chunks = frames(play(*THINKING, thoughts=True))
    assert [chunk["candidates"][0]["content"]["parts"] for chunk in chunks] == [
        [{"text": "Hm.", "thought": True}],
        [{"text": "Hel"}],
        [{"text": "lo"}],
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
            "promptTokenCount": 12,
            "candidatesTokenCount": 30,
            "cachedContentTokenCount": 11,
            "totalTokenCount": 42,
        },
        "modelVersion": "tiny",
        "responseId": "chat-1",
    }


def test_thoughts_not_asked_for_are_counted_only() -> None:
    chunks = frames(play(*THINKING))
    assert len(chunks) == 3
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == 30


PARALLEL = [
    ROLE,
    tool(0, id="a", name="f", arguments=""),
    tool(0, arguments='{"x":'),
    tool(0, arguments="1}"),
    tool(1, id="b", name="f", arguments='{"x":2}'),
    delta(finish="tool_calls"),
    usage(3, 4),
    DONE,
]


def test_parallel_calls_come_whole_in_the_last_chunk() -> None:
    (chunk,) = frames(play(*PARALLEL))
    (candidate,) = chunk["candidates"]
    assert candidate["content"]["parts"] == [called("f", {"x": 1}, "a"), called("f", {"x": 2}, "b")]
    assert candidate["finishReason"] == "STOP"
    assert chunk["usageMetadata"]["totalTokenCount"] == 7


def test_no_half_call_is_shown() -> None:
    assert breaks(*PARALLEL[:4]) == ""
    cut = [*PARALLEL[:3], delta(finish="length"), DONE]
    (candidate,) = last(*cut)["candidates"]
    assert candidate["content"]["parts"] == [{"text": ""}]
    assert candidate["finishReason"] == "MAX_TOKENS"
    kept = [*PARALLEL[:4], tool(1, id="b", name="f", arguments='{"x'), delta(finish="length"), DONE]
    (candidate,) = last(*kept)["candidates"]
    assert candidate["content"]["parts"] == [called("f", {"x": 1}, "a")]
    assert candidate["finishReason"] == "MAX_TOKENS"


# What deltas hold


@table(
    "nothing",
    [
        ROLE,
        delta(role="assistant", content=""),
        delta(),
        delta(""),
        delta(reasoning="hidden"),
        delta(reasoning_content=None, content=None),
        event(choices=[]),
        event(choices=None),
        event(),
        event(sglext_cached={"tokens": 1}),
        event(id="x", choices=[{"index": 0}]),
        event(choices=[{"index": 0, "delta": None, "finish_reason": None}]),
        event(choices=[{"delta": {"tool_calls": None, "refusal": None, "function_call": None}}]),
        b": ping - 2026\n\n",
        b"event: x\nid: 1\n\n",
        b"\n\n",
        b"",
    ],
)
def test_events_without_content_send_nothing(nothing: bytes) -> None:
    reader = translator()
    assert reader.feed(nothing) == b""
    assert frames(reader.feed(delta("a")))
    assert reader.feed(nothing) == b""


@table("name", ["reasoning", "reasoning_content"])
def test_both_names_of_reasoning(name: str) -> None:
    found = parts(delta("b", **{name: "a"}), *END, thoughts=True)
    assert found == [[{"text": "a", "thought": True}], [{"text": "b"}], [{"text": ""}]]


def test_content_as_a_list() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "x"}, 3, {"type": "text", "text": "b"}]
    said = event(choices=[{"index": 0, "delta": {"content": content}}])
    assert parts(said, *END)[0] == [{"text": "ab"}]


def test_refusal() -> None:
    (candidate,) = last(delta(refusal="I won't."), *END)["candidates"]
    assert candidate["finishReason"] == "SAFETY"
    assert parts(delta(refusal="I won't."), *END)[0] == [{"text": "I won't."}]


def test_missing_index_and_names() -> None:
    said = event(choices=[{"delta": {"content": "a"}}])
    chunk = frames(play(said, event(choices=[{"finish_reason": "stop"}]), DONE))[0]
    assert chunk["modelVersion"] == "gemma2:9b"
    assert chunk["responseId"] == "r1"
    assert chunk["candidates"][0]["index"] == 0


@table("model", ["/srv/models/x.gguf", "./tiny-hf@main", "~/x", r"C:\x.gguf", "", 7])
def test_a_model_named_by_its_file_is_not_told(model: Any) -> None:
    said = event(id="", model=model, choices=[{"index": 0, "delta": {"content": "a"}}])
    (first, _) = frames(play(said, *END))
    assert first["modelVersion"] == "gemma2:9b"
    assert first["responseId"] == "r1"


def test_separators_that_break_lines_are_escaped() -> None:
    reply = play(delta("a\u2028b\u2029c\u0085d\r\n"), *END)
    assert b"a\\u2028b\\u2029c\\u0085d\\r\\n" in reply
    assert (
        frames(reply)[0]["candidates"][0]["content"]["parts"][0]["text"]
        == "a\u2028b\u2029c\u0085d\r\n"
    )


# Calls


def test_no_empty_text_stands_beside_a_call() -> None:
    found = parts(delta("Wait."), tool(0, id="a", name="f", arguments="{}"), *END)
    assert found == [[{"text": "Wait."}], [called("f", {}, "a")]]


@table("finish", ["stop", "tool_calls", "function_call"])
def test_a_call_is_a_call_whatever_the_finish_says(finish: str) -> None:
    chunk = last(tool(0, id="a", name="f"), delta(finish=finish), DONE)
    assert chunk["candidates"][0]["finishReason"] == "STOP"
    assert chunk["candidates"][0]["content"]["parts"] == [called("f", {}, "a")]


def test_calls_announced_and_never_made() -> None:
    chunk = last(delta(finish="tool_calls"), DONE)
    assert chunk["candidates"][0]["content"]["parts"] == [{"text": ""}]


def test_ollamas_parallel_calls_all_have_the_same_index() -> None:
    both = delta(
        tool_calls=[
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
            {"index": 0, "id": "b", "function": {"name": "f", "arguments": '{"x":2}'}},
        ]
    )
    assert parts(both, *END) == [[called("f", {"x": 1}, "a"), called("f", {"x": 2}, "b")]]


def test_a_missing_id_is_made_up() -> None:
    assert parts(tool(0, name="f"), tool(1, name="g"), *END) == [
        [called("f", {}, "r1-0"), called("g", {}, "r1-1")]
    ]


def test_the_legacy_call_has_no_id() -> None:
    legacy = [delta(function_call={"name": "f", "arguments": '{"x'})]
    legacy.append(delta(function_call={"arguments": '":1}'}))
    assert parts(*legacy, delta(finish="function_call"), DONE) == [[called("f", {"x": 1})]]


@table("arguments", ["{", "[1]", '"x"', "nonsense", '{"x": 1} {}'])
def test_arguments_that_are_no_object(arguments: str) -> None:
    bad = [tool(0, id="a", name="f", arguments=arguments), tool(1, id="b", name="g")]
    (candidate,) = last(*bad, *END)["candidates"]
    assert candidate["content"]["parts"] == [called("g", {}, "b")]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert candidate["finishMessage"]


def test_a_call_without_a_name_is_malformed() -> None:
    (candidate,) = last(tool(0, id="a", arguments="{}"), *END)["candidates"]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"


def test_names_lead_back_to_the_clients() -> None:
    found = parts(tool(0, id="a", name="a_b"), *END, names={"a_b": "a.b"})
    assert found == [[called("a.b", {}, "a")]]


# Finish and usage


@table(
    ("told", "reason"),
    [
        ("stop", "STOP"),
        ("eos_token", "STOP"),
        ("STOP", "STOP"),
        ("MAX_TOKENS", "MAX_TOKENS"),
        ("stop_sequence", "STOP"),
        ("tool_calls", "STOP"),
        ("function_call", "STOP"),
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("repetition", "OTHER"),
    ],
)
def test_finish_reasons(told: str, reason: str) -> None:
    assert last(delta("a"), delta(finish=told), DONE)["candidates"][0]["finishReason"] == reason


def test_only_the_last_chunk_has_a_finish_reason_and_usage() -> None:
    chunks = frames(play(delta("a"), delta("b"), *END))
    assert ["finishReason" in chunk["candidates"][0] for chunk in chunks] == [False, False, True]
    assert ["usageMetadata" in chunk for chunk in chunks] == [False, False, True]


def test_the_finish_waits_for_the_usage_and_text_does_not() -> None:
    reader = translator()
    assert reader.feed(delta("a"))
    assert reader.feed(STOP) == b""
    assert not reader.complete
    assert b"usageMetadata" in reader.feed(usage(1, 2))
    assert reader.complete
    assert reader.feed(DONE) == b""
    assert reader.feed(delta("never")) == b""
    assert reader.finish() == b""


def test_text_in_the_finish_chunk_goes_out_with_the_finish() -> None:
    assert parts(delta("a"), delta("b", finish="stop"), usage(1, 2), DONE) == [
        [{"text": "a"}],
        [{"text": "b"}],
    ]
    together = delta("b", finish="tool_calls", tool_calls=[{"id": "x", "function": {"name": "f"}}])
    assert parts(together, DONE) == [[{"text": "b"}, called("f", {}, "x")]]


def test_text_behind_the_finish_keeps_its_place() -> None:
    assert parts(delta("a", finish="stop"), delta("b"), DONE) == [
        [{"text": "a"}],
        [{"text": "b"}],
        [{"text": ""}],
    ]


@table(
    ("stream", "metadata"),
    [
        ([usage(5, 7), DONE], (5, 7, None, None, 12)),
        ([DONE], None),
        ([], None),
        ([event(choices=[], usage=None), DONE], None),
        ([event(choices=[{"delta": {}}], usage={"prompt_tokens": 5, "completion_tokens": 7})],
         (5, 7, None, None, 12)),
        ([usage(5, 7, completion_tokens_details={"reasoning_tokens": 3})], (5, 4, 3, None, 12)),
        ([usage(5, 7, reasoning_tokens=3, completion_tokens_details=None)], (5, 4, 3, None, 12)),
        ([usage(5, 7, reasoning_tokens=0)], (5, 7, None, None, 12)),
        ([usage(5, 7, reasoning_tokens=9)], (5, 0, 9, None, 14)),
        ([usage(5, 7, prompt_tokens_details={"cached_tokens": 4})], (5, 7, None, 4, 12)),
        ([usage(5, 7, prompt_tokens_details={"cached_tokens": 0})], (5, 7, None, None, 12)),
    ],
)  # fmt: skip
def test_usage(stream: list[bytes], metadata: tuple[Any, ...] | None) -> None:
    counts = last(delta("a"), STOP, *stream).get("usageMetadata")
    if metadata is None:
        assert counts is None
    else:
        names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
                 "cachedContentTokenCount", "totalTokenCount")  # fmt: skip
        assert tuple(counts.get(name) for name in names) == metadata


def test_running_usage_is_not_added_up() -> None:
    def running(text: str, tokens: int) -> bytes:
        said = [{"index": 0, "delta": {"content": text}}]
        return event(choices=said, usage={"prompt_tokens": 3, "completion_tokens": tokens})

    stream = [running("a", 1), running("b", 2), STOP, usage(3, 2), DONE]
    assert last(*stream)["usageMetadata"]["totalTokenCount"] == 5


def test_usage_is_known_to_the_record() -> None:
    reader = translator()
    for piece in [delta("a"), *END]:
        reader.feed(piece)
    assert reader.usage == Usage(12, 30)


# Several candidates


def test_candidates_have_chunks_of_their_own() -> None:
    stream = [
        delta("a", index=1),
        delta("b"),
        delta(finish="length", index=1),
        usage(12, 3),
        delta("c"),
        delta(finish="stop"),
        usage(12, 4),
        DONE,
    ]
    chunks = frames(play(*stream))
    told = [
        (one["index"], one.get("finishReason")) for chunk in chunks for one in chunk["candidates"]
    ]
    assert told == [(1, None), (0, None), (0, None), (0, "STOP"), (1, "MAX_TOKENS")]
    assert ["usageMetadata" in chunk for chunk in chunks] == [False] * 4 + [True]
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == 7
    assert chunks[-1]["usageMetadata"]["promptTokenCount"] == 12


def test_two_choices_in_one_event() -> None:
    both = event(choices=[{"index": at, "delta": {"content": str(at)}} for at in (0, 1)])
    ends = event(choices=[{"index": at, "delta": {}, "finish_reason": "stop"} for at in (0, 1)])
    assert len(frames(play(both, ends, usage(1, 2), DONE))) == 4


def test_every_candidate_must_finish() -> None:
    assert breaks(delta("a"), delta("b", index=1), STOP, usage(1, 2), DONE)


# Log probabilities


def token(text: str, logprob: float, **more: Any) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": [], **more}


LOGGED = [
    delta("", logprobs=[token("", -1.0)]),
    delta("a", logprobs=[token("a", -0.5, id=7, top_logprobs=[token("b", -2), token("a", -0.5)])]),
    delta("b", logprobs=[token("b", -9999.0)]),
    STOP,
    DONE,
]


def test_logprobs_stand_with_their_text() -> None:
    chunks = [chunk["candidates"][0] for chunk in frames(play(*LOGGED))]
    assert chunks[0]["logprobsResult"] == {
        "chosenCandidates": [
            {"token": "", "logProbability": -1.0},
            {"token": "a", "logProbability": -0.5, "tokenId": 7},
        ],
        "logProbabilitySum": -1.5,
        "topCandidates": [
            {"candidates": []},
            {
                "candidates": [
                    {"token": "a", "logProbability": -0.5},
                    {"token": "b", "logProbability": -2},
                ]
            },
        ],
    }
    assert chunks[1]["logprobsResult"] == {
        "chosenCandidates": [{"token": "b", "logProbability": -9999.0}],
        "logProbabilitySum": -9999.0,
    }
    assert "logprobsResult" not in chunks[2]
    assert chunks[2]["avgLogprobs"] == pytest.approx(-10000.5 / 3)


def test_logprobs_of_calls_stand_in_the_last_chunk() -> None:
    said = delta(
        logprobs=[token("{", -0.5)], tool_calls=[{"index": 0, "id": "a", "function": {"name": "f"}}]
    )
    (candidate,) = last(said, *END)["candidates"]
    assert len(candidate["logprobsResult"]["chosenCandidates"]) == 1


def test_logprobs_of_no_use_are_left_out() -> None:
    said = event(
        choices=[
            {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [1, {"token": "x"}]}}
        ]
    )
    assert "logprobsResult" not in frames(play(said, *END))[0]["candidates"][0]


# Broken streams


@table(
    "stream",
    [
        [],
        [b"\n\n"],
        [b":\n\n"],
        [DONE],
        [usage(1, 2), DONE],
        [delta("a")],
        [delta("a"), DONE],
        [delta("a"), usage(1, 2), DONE],
        [delta("a"), b"data: {"],
        [delta("a"), b'data: {"choices'],
        [delta("a"), b"data: nonsense\n\n"],
        [delta("a"), b"data: [1]\n\n"],
        [delta("a"), delta(finish="error"), DONE],
        [delta("a"), event(error={"message": "at /usr/lib", "code": 500}), DONE],
        [delta("a"), event(error="at /usr/lib")],
        [delta("a"), event(object="error", message="at /usr/lib")],
        [delta("a"), event(choices=[], error={"message": "at /usr"}, usage={"prompt_tokens": 1})],
        [delta("a"), STOP, event(error="late")],
        [delta("a"), event(choices="x")],
        [delta("a"), event(choices=[7])],
        [delta("a"), event(choices=[{"index": "0"}])],
        [delta("a"), event(choices=[{"index": -1}])],
        [delta("a"), event(choices=[{"index": []}])],
        [delta("a"), event(choices=[{"index": True}])],
        [delta("a"), event(choices=[{"index": 99}])],
        [delta("a"), event(choices=[{"index": 0, "finish_reason": 7}])],
        # Ollama: an error in mid-stream becomes an empty chunk, then the end.
        [delta("a"), event(choices=[{"delta": {"content": ""}, "finish_reason": None}])],
    ],
)  # fmt: skip
@table("framing", [Framing.SSE, Framing.JSON_ARRAY, Framing.UNARY])
def test_an_end_is_never_invented(stream: list[bytes], framing: Framing) -> None:
    got = breaks(*stream, framing=framing)
    assert "finishReason" not in got
    assert "usr" not in got
    if framing is Framing.UNARY:
        assert got == ""


@table("finish", ["abort", "error", "insufficient_system_resource", "new", True])
@table("framing", [Framing.SSE, Framing.JSON_ARRAY, Framing.UNARY])
def test_any_other_finish_reason_ends_no_answer(finish: Any, framing: Framing) -> None:
    for said in (delta("a"), tool(0, id="x", name="f", arguments="{}")):
        got = breaks(said, delta(finish=finish), usage(1, 2), DONE, framing=framing)
        assert "finishReason" not in got
        assert "functionCall" not in got


def test_the_end_of_a_node_without_done() -> None:
    assert frames(play(delta("a"), STOP, usage(1, 2)))[-1]["usageMetadata"]
    assert frames(play(delta("a"), STOP))[-1]["candidates"][0]["finishReason"] == "STOP"
    unterminated = STOP.rstrip()
    assert frames(play(delta("a"), unterminated))[-1]["candidates"][0]["finishReason"] == "STOP"


def test_too_much_is_broken() -> None:
    much = "x" * 2**23
    times = MAX_HELD_BYTES // len(much) + 1
    logged = delta(logprobs=[token("a", -1)] * 60_000)
    for pieces, framing, told in (
        ([delta(much)] * times, Framing.UNARY, "too large for a single body"),
        ([b"{", *[b" " * 2**23] * times], Framing.SSE, "reply is too large"),
        ([logged, logged], Framing.SSE, "more log probabilities"),
        (
            [b"data: " + b"x" * 1024 * 1024] + [b"x" * 1024 * 1024] * 20,
            Framing.SSE,
            "event that is too large",
        ),
        ([tool(0, name="f", arguments=much)] * times, Framing.SSE, "tool call that is too large"),
    ):
        reader = translator(framing)
        with pytest.raises(StreamBroken, match=told):
            for piece in pieces:
                reader.feed(piece)


# Framing


def test_unary_collects() -> None:
    reply = json.loads(
        play(
            delta("a", reasoning="t", logprobs=[token("a", -1)]),
            delta(reasoning="u"),
            delta("b", logprobs=[token("b", -2)]),
            delta("c"),
            tool(0, id="x", name="f", arguments='{"y":1}'),
            *END,
            framing=Framing.UNARY,
            thoughts=True,
        )
    )
    (candidate,) = reply["candidates"]
    assert candidate["content"] == {
        "parts": [
            {"text": "t", "thought": True},
            {"text": "a"},
            {"text": "u", "thought": True},
            {"text": "bc"},
            called("f", {"y": 1}, "x"),
        ],
        "role": "model",
    }
    assert candidate["finishReason"] == "STOP"
    assert candidate["logprobsResult"]["logProbabilitySum"] == -3
    assert candidate["avgLogprobs"] == -1.5
    assert reply["usageMetadata"]["totalTokenCount"] == 42
    assert (reply["modelVersion"], reply["responseId"]) == ("tiny", "chat-1")


def test_unary_without_a_word_still_has_a_part() -> None:
    (candidate,) = json.loads(play(*END, framing=Framing.UNARY))["candidates"]
    assert candidate["content"]["parts"] == [{"text": ""}]
    thinks = play(delta(reasoning="t"), *END, framing=Framing.UNARY, thoughts=True)
    (candidate,) = json.loads(thinks)["candidates"]
    assert candidate["content"]["parts"] == [{"text": "t", "thought": True}, {"text": ""}]


def test_unary_candidates_are_sorted() -> None:
    stream = [delta("b", index=1), delta("a"), delta(finish="stop", index=1), STOP, DONE]
    found = json.loads(play(*stream, framing=Framing.UNARY))["candidates"]
    assert [one["content"]["parts"][0]["text"] for one in found] == ["a", "b"]
    assert [one["index"] for one in found] == [0, 1]


def test_array_is_framed_as_googles() -> None:
    reply = play(delta("a"), delta("b"), *END, framing=Framing.JSON_ARRAY)
    assert reply.startswith(b'[{"candidates"')
    assert reply.count(b"}\n,\r\n{") == 2
    assert reply.endswith(b"}\n]")
    assert len(json.loads(reply)) == 3


@table(
    ("framing", "kind"),
    [
        (Framing.SSE, "text/event-stream"),
        (Framing.JSON_ARRAY, "application/json; charset=UTF-8"),
        (Framing.UNARY, "application/json; charset=UTF-8"),
    ],
)
def test_content_types(framing: Framing, kind: str) -> None:
    assert translator(framing).content_type == kind


def test_an_error_fits_the_place_in_an_event_stream() -> None:
    assert error_behind(translator()) == b"data: " + ENVELOPE + b"\r\n\r\n"
    reader = translator()
    assert reader.keepalive() == b"data: "
    assert reader.keepalive() == b" "
    assert error_behind(reader) == ENVELOPE + b"\r\n\r\n"
    reader = translator()
    chunk = reader.feed(delta("a"))
    assert chunk.endswith(b"\r\n\r\n")
    assert error_behind(reader) == b"data: " + ENVELOPE + b"\r\n\r\n"


def test_an_error_fits_the_place_in_an_array() -> None:
    assert error_behind(translator(Framing.JSON_ARRAY), Framing.JSON_ARRAY) == b"[" + ENVELOPE
    reader = translator(Framing.JSON_ARRAY)
    assert reader.keepalive() + reader.keepalive() == b"[\n"
    assert error_behind(reader, Framing.JSON_ARRAY) == ENVELOPE
    reader = translator(Framing.JSON_ARRAY)
    reader.feed(delta("a"))
    assert error_behind(reader, Framing.JSON_ARRAY) == b"\n,\r\n" + ENVELOPE


def test_there_is_no_place_for_an_error_in_one_body_or_behind_the_end() -> None:
    assert error_behind(translator(Framing.UNARY), Framing.UNARY) == b""
    reader = translator()
    for piece in [delta("a"), *END]:
        reader.feed(piece)
    assert error_behind(reader) == b""


def test_beats_are_invisible() -> None:
    for framing in (Framing.SSE, Framing.JSON_ARRAY):
        reader = translator(framing)
        reply = b""
        for piece in [ROLE, delta("a"), delta("b"), *END]:
            reply += (
                reader.keepalive() + reader.keepalive() + reader.feed(piece) + reader.keepalive()
            )
        reply += reader.keepalive() + reader.finish() + reader.keepalive()
        if framing is Framing.SSE:
            assert len(frames(reply)) == 3
        else:
            assert reply.startswith(b"[")
            assert len(json.loads(reply)) == 3
    assert translator(Framing.UNARY).keepalive() == b""


# Clients that lose a turn whose last chunk has no text


@table(
    "client",
    [
        "genai-js/0.24.1",
        "google-genai-sdk/1.30.0 gl-node/v20.1",
        "google-genai-sdk/1.75.0 gl-python/3.11",
        "google-genai-sdk/0.8.0",
        "gl-python/3.9 google-genai-sdk/1.16.0",
    ],
)
def test_the_last_text_is_kept_for_the_finish(client: str) -> None:
    stream = [delta("a"), delta(reasoning="t"), delta("b"), delta("c"), *END]
    assert parts(*stream, client=client) == [[{"text": "a"}], [{"text": "b"}], [{"text": "c"}]]
    assert parts(*stream, client=client, thoughts=True) == [
        [{"text": "a"}],
        [{"text": "t", "thought": True}],
        [{"text": "b"}],
        [{"text": "c"}],
    ]
    chunk = last(*stream, client=client)
    assert chunk["candidates"][0]["finishReason"] == "STOP"
    assert parts(delta("a"), tool(0, id="x", name="f"), *END, client=client) == [
        [{"text": "a"}, called("f", {}, "x")]
    ]
    assert parts(*END, client=client) == [[{"text": ""}]]
    logged = [one["candidates"][0] for one in frames(play(*LOGGED, client=client))]
    assert len(logged) == 2
    assert all("logprobsResult" in one for one in logged)


@table(
    "client",
    [
        "",
        "google-genai-sdk/3.4.0 gl-python/3.11.7",
        "google-genai-sdk/2.34.0 gl-python/3.11.7",
        "google-genai-sdk/10.0.0",
        "genai-py/0.8.6 gl-python/3.11 grpc/1.6 gax/2.3",
        "curl/8.0",
    ],
)
def test_other_clients_wait_for_nothing(client: str) -> None:
    assert parts(delta("a"), *END, client=client) == [[{"text": "a"}], [{"text": ""}]]


# One JSON body instead of a stream


BODY = {
    "id": "chat-1",
    "object": "chat.completion",
    "model": "tiny",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "reasoning_content": "t",
                "content": "a",
                "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": {"y": 1}}}],
                "audio": None,
                "annotations": [],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}


@table("framing", [Framing.SSE, Framing.JSON_ARRAY, Framing.UNARY])
@table("piece", [1, 7, 10_000])
def test_a_node_that_ignores_stream(framing: Framing, piece: int) -> None:
    body = b" \n" + json.dumps(BODY).encode()
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
    reply = play(*pieces, framing=framing, thoughts=True)
    if framing is Framing.UNARY:
        chunks = [json.loads(reply)]
    else:
        chunks = frames(reply) if framing is Framing.SSE else json.loads(reply)
    found = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert found == [{"text": "t", "thought": True}, {"text": "a"}, called("f", {"y": 1}, "x")]
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] == 3


@table("body", [b"{}", b"[]", b'{"error": "x"}', b'{"choices": []}', b'{"a'])
def test_a_body_that_is_no_completion(body: bytes) -> None:
    assert breaks(body, framing=Framing.UNARY) == ""


def test_refuse_judges_for_gemini() -> None:
    found = translator().refuse(404, (), b"")
    assert found.status == 404
    assert "gemma2:9b" in found.message


@table("framing", [Framing.UNARY, Framing.SSE, Framing.JSON_ARRAY])
def test_arguments_nested_too_deeply_are_no_arguments(framing: Framing) -> None:
    deep = '{"a":' * 400 + "1" + "}" * 400
    stream = [tool(0, id="abcd", name="f", arguments=deep), *END]
    assert b"MALFORMED_FUNCTION_CALL" in play(*stream, framing=framing)
    breaks(tool(0, id="abcd", name="f", arguments=json.loads(deep)), *END, framing=framing)


@table("framing", [Framing.UNARY, Framing.SSE, Framing.JSON_ARRAY])
def test_candidates_may_come_one_after_the_other(framing: Framing) -> None:
    """A node with one free slot ends the first candidate, and reports its usage, before the second
    begins."""
    second = [delta("b", index=1), delta(finish="length", index=1), usage(3, 4)]
    stream = [delta("a"), STOP, usage(3, 2), *second, DONE]
    made = translate(call(framing), with_config(candidateCount=2), context()).translator
    reply = b"".join([made.feed(piece) for piece in stream]) + made.finish()
    assert b'"MAX_TOKENS"' in reply
    assert reply.count(b'"finishReason"') == 2
    assert b'"candidatesTokenCount":6,' in reply


def test_usage_ends_the_only_candidate() -> None:
    reader = translator()
    assert b'"STOP"' in b"".join([reader.feed(piece) for piece in (delta("a"), STOP, usage(1, 1))])
    assert reader.complete


@table("idents", [{}, {"id": "0"}])
def test_calls_of_a_whole_body_stay_apart(idents: dict[str, str]) -> None:
    """A node that ignores ``stream`` sends calls without an index, and with ids that do not
    identify them."""
    calls = [
        {**idents, "type": "function", "function": {"name": name, "arguments": '{"x": 1}'}}
        for name in ("f", "g")
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = json.dumps({"id": "chat-1", "model": "tiny", "choices": [choice]}).encode()
    (parts,) = (chunk["candidates"][0]["content"]["parts"] for chunk in frames(play(body)))
    assert [part["functionCall"]["name"] for part in parts] == ["f", "g"]
    assert [part["functionCall"]["args"] for part in parts] == [{"x": 1}, {"x": 1}]
    assert len({part["functionCall"]["id"] for part in parts}) == 2


def test_an_empty_finish_reason_is_none() -> None:
    """Some servers write an empty reason into every chunk; it must not become an end."""
    assert breaks(delta("a", ""), delta("b", "")).count('"text"') == 2
    assert breaks(delta("a", ""), DONE)
    chunks = frames(play(delta("a", ""), delta("b", ""), delta("", "stop"), usage(1, 2), DONE))
    assert [chunk["candidates"][0].get("finishReason") for chunk in chunks] == [None, None, "STOP"]


@table("content", [{"type": "text", "text": "a"}, 5, True])
def test_words_that_are_no_text_are_not_left_out(content: Any) -> None:
    """If they were left out, the reply would end as if the model had produced nothing."""
    assert breaks(delta(content), STOP, DONE) == ""


def test_half_a_surrogate_pair_and_a_big_number_in_arguments() -> None:
    arguments = r'{"a": "x\ud83d", "n": 123456789012345678901234567890}'
    wanted = {"a": "x\ufffd", "n": 123456789012345678901234567890}
    assert parts(tool(0, id="i", name="f", arguments=arguments), *END) == [
        [called("f", wanted, "i")]
    ]


def test_an_event_of_nothing_is_passed_over() -> None:
    blank = b"data:\n\n"
    assert play(blank, *THINKING, blank) == play(*THINKING)
