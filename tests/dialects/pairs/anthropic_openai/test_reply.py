"""A node's chunks as Anthropic's events, and as one message, row by row."""

from __future__ import annotations

import json
from typing import Any

import jiter
import pytest

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, StreamBroken, UpstreamFault
from casedesk_proxy.surfaces import anthropic
from casedesk_proxy.terms import Dialect, Framing, Usage
from tests.dialects.anthropic_asking import OPENAI, TIME, VLLM, WEATHER, asking, events, translated
from tests.dialects.breaking import error_behind
from tests.dialects.pairs.anthropic_openai.test_request import LONG
from tests.fixtures.table import table

DONE = b"data: [DONE]\n\n"
ADAPTIVE = {"type": "adaptive"}
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 11},
}
COUNTS = {
    "input_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 11,
    "output_tokens": 30,
}


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    choice |= {name: more.pop(name) for name in ("stop_reason", "matched_stop") if name in more}
    return event({"id": "chatcmpl-1", "model": "tiny", "choices": [choice], **more})


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def usage(counts: Any = USAGE) -> bytes:
    return event({"id": "chatcmpl-1", "choices": [], "usage": counts})


def calls(*fragments: Any, **more: Any) -> bytes:
    return chunk({"tool_calls": list(fragments)}, **more)


def fragment(index: Any = 0, ident: Any = None, name: Any = None, arguments: Any = None) -> Any:
    made: dict[str, Any] = {"index": index, "function": {}}
    if ident is not None:
        made["id"] = ident
    if name is not None:
        made["function"]["name"] = name
    if arguments is not None:
        made["function"]["arguments"] = arguments
    return made


def translator(
    engine: EngineSpec = VLLM, *, context: dict[str, Any] | None = None, **fields: Any
) -> Translator:
    return translated(asking(**fields), engine, **(context or {})).translator


def streamed(*pieces: bytes, **fields: Any) -> list[dict[str, Any]]:
    made = translator(stream=True, **fields)
    return events(b"".join([made.feed(piece) for piece in pieces]) + made.finish())


def collected(*pieces: bytes, **fields: Any) -> dict[str, Any]:
    made = translator(**fields)
    assert b"".join([made.feed(piece) for piece in pieces]) == b""
    return json.loads(made.finish())


def blocks(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a stream. They follow one another, and each is ended."""
    assert [one["type"] for one in stream[-2:]] == ["message_delta", "message_stop"]
    assert stream[0]["type"] == "message_start"
    found: list[dict[str, Any]] = []
    is_open = False
    for one in stream[1:-2]:
        if one["type"] == "content_block_start":
            assert not is_open
            assert one["index"] == len(found)
            found.append(one["content_block"] | {"pieces": []})
            is_open = True
            continue
        assert is_open
        assert one["index"] == len(found) - 1
        if one["type"] == "content_block_stop":
            is_open = False
            continue
        delta = one["delta"]
        field = delta["type"].removesuffix("_delta").replace("input_json", "partial_json")
        if field == "signature":
            found[-1]["signature"] = delta["signature"]
        else:
            found[-1]["pieces"].append(delta[field])
    assert not is_open
    return [_settled(block) for block in found]


def _settled(block: dict[str, Any]) -> dict[str, Any]:
    pieces = "".join(block.pop("pieces"))
    if block["type"] == "tool_use":
        assert block["input"] == {}
        return block | {"input": pieces}
    assert block[block["type"]] == ""
    return block | {block["type"]: pieces}


def told(*pieces: bytes, **fields: Any) -> list[Any]:
    """The blocks in short; both forms of the reply have the same."""
    stream = [_short(block) for block in blocks(streamed(*pieces, **fields))]
    message = collected(*pieces, **fields)
    assert [_short(block) for block in message["content"]] == stream
    return stream


def _short(block: dict[str, Any]) -> Any:
    if block["type"] == "tool_use":
        given = block["input"]
        return (block["name"], json.loads(given) if isinstance(given, str) else given)
    if block["type"] == "thinking":
        assert block["signature"]
        return ("thinking", block["thinking"])
    return block["text"]


def ending(*pieces: bytes, **fields: Any) -> Any:
    """(stop_reason, stop_sequence); both forms have the same."""
    delta = streamed(*pieces, **fields)[-2]["delta"]
    message = collected(*pieces, **fields)
    assert delta == {name: message[name] for name in ("stop_reason", "stop_sequence")}
    return delta["stop_reason"], delta["stop_sequence"]


def broken(*pieces: bytes, **fields: Any) -> StreamBroken:
    """Both forms break off, and nothing in them looks like an end."""
    for stream in (False, True):
        made = translator(stream=stream, **fields)
        out = b""
        with pytest.raises(StreamBroken) as caught:
            for piece in pieces:
                out += made.feed(piece)
            out += made.finish()
        assert b"message_stop" not in out
        assert b"message_delta" not in out
        assert not made.complete
    return caught.value


HELLO = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
)
STOP = (chunk(finish="stop"), usage(), DONE)
CALL = calls(
    fragment(0, "call_aaaa", "get_weather", '{"city":'), fragment(0, None, None, '"Rome"}')
)


# The stream's form


def test_a_stream_byte_for_byte() -> None:
    made = translator(stream=True)
    out = b"".join(made.feed(piece) for piece in (*HELLO, *STOP)) + made.finish()
    assert out == (
        b"event: message_start\n"
        b'data: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        b'"role":"assistant","model":"claude","content":[],"stop_reason":null,'
        b'"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,'
        b'"cache_read_input_tokens":0,"output_tokens":0}}}\n\n'
        b"event: content_block_start\n"
        b'data: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"Hel"}}\n\n'
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"lo"}}\n\n'
        b"event: content_block_stop\n"
        b'data: {"type":"content_block_stop","index":0}\n\n'
        b"event: message_delta\n"
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        b'"usage":{"input_tokens":1,"cache_creation_input_tokens":0,'
        b'"cache_read_input_tokens":11,"output_tokens":30}}\n\n'
        b"event: message_stop\n"
        b'data: {"type":"message_stop"}\n\n'
    )


def test_a_message() -> None:
    assert collected(*HELLO, *STOP) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": COUNTS,
    }


def test_each_piece_goes_out_at_once() -> None:
    made = translator(stream=True)
    assert b"message_start" in made.feed(HELLO[0])
    assert b'"Hel"' in made.feed(HELLO[1])
    assert b'"lo"' in made.feed(HELLO[2])
    assert made.feed(chunk(finish="stop")) == b""
    assert not made.complete
    assert b"message_stop" in made.feed(usage())
    assert made.complete
    assert made.feed(DONE) == b""
    assert made.finish() == b""


def test_line_separators_are_escaped() -> None:
    stream = translator(stream=True).feed(chunk({"content": "a\u2028b\u0085"}))
    assert b'"a\\u2028b\\u0085"' in stream


@table("ident", [None, "", 7, "chatcmpl-", "✓"])
def test_an_id_is_made_where_the_node_has_none(ident: Any) -> None:
    pieces = event({"id": ident, "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]})
    first, second = (collected(pieces)["id"] for _ in range(2))
    assert first == second
    assert first.startswith("msg_")
    assert len(first) == len("msg_") + 9


# Words


@table("field", ["reasoning", "reasoning_content"])
def test_thinking_comes_first_and_is_signed(field: str) -> None:
    pieces = (chunk({field: "Hm"}), chunk({field: "m."}), chunk({"content": "Ho"}), *STOP)
    assert told(*pieces, thinking=ADAPTIVE) == [("thinking", "Hmm."), "Ho"]
    stream = streamed(*pieces, thinking=ADAPTIVE)
    assert stream[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert stream[4]["delta"]["type"] == "signature_delta"
    assert stream[5] == {"type": "content_block_stop", "index": 0}


@table(
    "thinking",
    [None, {"type": "disabled"}, {"type": "adaptive", "display": "omitted"}],
)
def test_thinking_that_nobody_asked_for_is_not_shown(thinking: Any) -> None:
    pieces = (chunk({"reasoning": "Hm."}), chunk({"content": "Ho"}), *STOP)
    assert told(*pieces, thinking=thinking) == ["Ho"]


def test_thinking_and_words_in_one_chunk() -> None:
    pieces = (chunk({"content": "Ho", "reasoning": "Hm.", "reasoning_content": None}), *STOP)
    assert told(*pieces, thinking=ADAPTIVE) == [("thinking", "Hm."), "Ho"]


def test_thinking_between_words() -> None:
    pieces = [chunk({"content": "a"}), chunk({"reasoning": "b"}), chunk({"content": "c"})]
    assert told(*pieces, *STOP, thinking=ADAPTIVE) == ["a", ("thinking", "b"), "c"]


def test_blanks_alone_make_no_block() -> None:
    before = (chunk({"reasoning": "Hm."}), chunk({"content": "\n\n"}))
    assert told(*before, CALL, chunk({"content": "\n"}), *STOP, thinking=ADAPTIVE) == [
        ("thinking", "Hm."),
        ("get_weather", {"city": "Rome"}),
    ]


def test_blanks_before_words_stay() -> None:
    assert told(chunk({"content": "\n"}), chunk({"content": "\n Ho "}), *STOP) == ["\n\n Ho "]


def test_a_reply_of_blanks_stays() -> None:
    assert told(chunk({"content": "\n"}), *STOP) == ["\n"]


def test_an_empty_reply_is_an_empty_text() -> None:
    assert told(chunk({"role": "assistant", "content": None}), *STOP) == [""]
    assert [one["type"] for one in streamed(*STOP)] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_refusal() -> None:
    pieces = (chunk({"refusal": "I can't."}), *STOP)
    assert told(*pieces) == ["I can't."]
    assert ending(*pieces) == ("refusal", None)


def test_a_content_of_parts() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}, {"type": "image"}]
    assert told(chunk({"content": parts}), *STOP) == ["Hello"]


def test_words_with_the_finish() -> None:
    assert told(chunk({"content": "a"}), chunk({"content": "b"}, "stop"), DONE) == ["ab"]


# Calls


def test_a_call_streams() -> None:
    stream = streamed(chunk({"content": "Let me see."}), CALL, *STOP)
    assert stream[4]["content_block"] == {
        "type": "tool_use",
        "id": "call_aaaa",
        "name": "get_weather",
        "input": {},
    }
    pieces = [one["delta"]["partial_json"] for one in stream[5:7]]
    assert pieces == ['{"city":', '"Rome"}']
    assert told(chunk({"content": "Let me see."}), CALL, *STOP) == [
        "Let me see.",
        ("get_weather", {"city": "Rome"}),
    ]


def test_a_call_from_another_chunk_than_its_arguments() -> None:
    """SGLang sends a call so: in the later chunks all other fields are null."""
    pieces = (
        calls(fragment(0, "call_aaaa", "f", "")),
        calls({"id": None, "index": 0, "function": {"name": None, "arguments": '{"a":1}'}}),
    )
    assert told(*pieces, *STOP) == [("f", {"a": 1})]


def two(*indexes: int) -> tuple[bytes, ...]:
    return (
        calls(fragment(indexes[0], "call_aaaa", "f", '{"x":1}')),
        calls(fragment(indexes[1], "call_bbbb", "f", '{"x":2}')),
        *STOP,
    )


@table("indexes", [(0, 1), (0, 0)])
def test_parallel_calls_even_of_one_index(indexes: tuple[int, int]) -> None:
    assert told(*two(*indexes)) == [("f", {"x": 1}), ("f", {"x": 2})]


def test_a_whole_call_is_ended_when_the_next_begins() -> None:
    made = translator(stream=True)
    one, two_, *_ = two(0, 1)
    made.feed(one)
    assert [event["type"] for event in events(made.feed(two_))] == [
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]


def test_mixed_fragments_never_overlap() -> None:
    pieces = (
        calls(fragment(0, "call_aaaa", "f", '{"x":')),
        calls(fragment(1, "call_bbbb", "g", '{"y":')),
        chunk({"content": "and "}),
        calls(fragment(0, None, None, "1}"), fragment(1, None, None, "2}")),
        chunk({"content": "so"}),
    )
    assert told(*pieces, *STOP) == [("f", {"x": 1}), ("g", {"y": 2}), "and so"]


def test_words_behind_a_call() -> None:
    pieces = (CALL, chunk({"content": "So."}), chunk({"content": "."}))
    assert told(*pieces, *STOP) == [("get_weather", {"city": "Rome"}), "So.."]


def test_words_amid_a_call_wait_for_its_end() -> None:
    pieces = (
        calls(fragment(0, "call_aaaa", "f", '{"x":')),
        chunk({"content": "\n"}),
        calls(fragment(0, None, None, "1}")),
        calls(fragment(1, "call_bbbb", "g", "{}")),
    )
    made = translator(stream=True)
    for piece in pieces[:3]:
        made.feed(piece)
    assert b'"g"' in made.feed(pieces[3]), "the first call is whole, the second need not wait"
    assert told(*pieces, *STOP) == [("f", {"x": 1}), ("g", {})]


@table("arguments", [None, "", " ", "null", "{}"])
def test_calls_without_arguments(arguments: Any) -> None:
    piece = calls(fragment(0, "call_aaaa", "f", arguments))
    assert told(piece, *STOP) == [("f", {})]
    assert told(piece, calls(fragment(1, "call_bbbb", "g", "{}")), *STOP) == [("f", {}), ("g", {})]


def test_arguments_as_an_object() -> None:
    assert told(calls(fragment(0, "0", "f", {"x": "é"})), *STOP) == [("f", {"x": "é"})]


def test_the_name_may_come_late() -> None:
    pieces = (
        calls(fragment(0, "call_aaaa", None, '{"x"')),
        calls(fragment(0, None, None, ":")),
        calls(fragment(0, None, "f", "1}")),
    )
    assert told(*pieces, *STOP) == [("f", {"x": 1})]


@table("last", [[calls(fragment(0, None, None, '{"x": 1}'))], []], ids=["arguments", "none"])
def test_the_name_may_come_in_pieces(last: list[bytes]) -> None:
    pieces = (
        calls(fragment(0, "call_aaaa", "get_", "")),
        calls(fragment(0, None, "weather", None)),
        *last,
    )
    wanted = [("get_weather", {"x": 1} if last else {})]
    assert told(*pieces, *STOP, tools=[WEATHER]) == wanted


def test_calls_without_arguments_at_one_index_are_two() -> None:
    pieces = [calls(fragment(0, "0", name, "")) for name in ("get_weather", "get_time")]
    told_of = told(*pieces, *STOP, tools=[WEATHER, TIME])
    assert told_of == [("get_weather", {}), ("get_time", {})]


def test_a_declared_name_is_shown_before_the_arguments() -> None:
    made = translator(stream=True, tools=[WEATHER])
    assert b"get_weather" in made.feed(calls(fragment(0, "call_aaaa", "get_weather", "")))
    made = translator(stream=True, tools=[WEATHER])
    assert b"get" not in made.feed(calls(fragment(0, "call_aaaa", "get_", "")))
    assert b"get_weather" in made.feed(calls(fragment(0, "call_aaaa", "weather", '{"x":')))


def test_a_call_that_is_cut_after_its_name_is_shown() -> None:
    cut = chunk(finish="length"), DONE
    for name in ("get_weather", "own"):
        given = calls(fragment(0, "call_aaaa", name, ""))
        assert told(given, *cut, tools=[WEATHER]) == [(name, {})]


def test_a_legacy_call() -> None:
    pieces = (
        chunk({"function_call": {"name": "f", "arguments": '{"x":'}}),
        chunk({"function_call": {"arguments": "1}"}}),
        chunk(finish="function_call"),
    )
    assert told(*pieces) == [("f", {"x": 1})]
    assert ending(*pieces) == ("tool_use", None)


@table("ident", [None, "", "0", 7])
def test_ids_that_name_nothing_are_made(ident: Any) -> None:
    pieces = (calls(fragment(0, ident, "f", "{}")), calls(fragment(1, ident, "g", "{}")), *STOP)
    first, second = (block["id"] for block in collected(*pieces)["content"])
    assert first != second
    for made in (first, second):
        assert len(made) == 9
        assert made.isalnum()
    assert [block["id"] for block in blocks(streamed(*pieces))] == [first, second]


def test_an_id_that_is_there_twice() -> None:
    pieces = (
        calls(fragment(0, "call_aaaa", "f", "{}")),
        calls(fragment(1, "call_aaaa", "g", "{}")),
        *STOP,
    )
    first, second = (block["id"] for block in collected(*pieces)["content"])
    assert first == "call_aaaa" != second


def test_names_lead_back_to_the_clients() -> None:
    tool = {"name": LONG, "input_schema": {"type": "object"}}
    made = translated(asking(tools=[tool, WEATHER]), OPENAI)
    name = json.loads(made.body)["tools"][0]["function"]["name"]
    made.translator.feed(calls(fragment(0, "call_aaaa", name, "{}")))
    made.translator.feed(calls(fragment(1, "call_bbbb", "get_weather", "{}")) + STOP[0])
    content = json.loads(made.translator.finish())["content"]
    assert [block["name"] for block in content] == [LONG, "get_weather"]


# The end


@table(
    ("finish", "wanted"),
    [
        ("stop", "end_turn"),
        ("eos_token", "end_turn"),
        ("STOP", "end_turn"),
        ("MAX_TOKENS", "max_tokens"),
        ("stop_sequence", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("eos", "end_turn"),
        ("model_length", "max_tokens"),
        ("tool_calls", "end_turn"),  # vLLM 53255: without any call
    ],
)
def test_finish_reasons(finish: str, wanted: str) -> None:
    assert ending(chunk({"content": "a"}), chunk(finish=finish), DONE) == (wanted, None)


@table("finish", ["tool_calls", "function_call", "stop", "eos_token"])
def test_calls_tell_that_tools_are_used(finish: str) -> None:
    assert ending(CALL, chunk(finish=finish), DONE) == ("tool_use", None)


def test_the_limit_always_wins() -> None:
    assert ending(CALL, chunk(finish="length"), DONE) == ("max_tokens", None)


@table(
    "finish",
    ["abort", "repetition", "error", "insufficient_system_resource", "something_new", "ABORT",
     {"type": "abort"}, True, 1],
)  # fmt: skip
@table("said", [chunk({"role": "assistant"}), chunk({"content": "a"}), CALL])
@table("stream", [True, False])
def test_any_other_reason_ends_no_answer(said: bytes, finish: Any, stream: bool) -> None:
    reader = translated(asking(stream=stream)).translator
    reader.feed(said)
    with pytest.raises(StreamBroken):
        reader.feed(chunk(finish=finish) + usage() + DONE)
    assert not reader.complete


@table(
    ("more", "stops", "wanted"),
    [
        ({"stop_reason": " tiny"}, [" tiny", "x"], ("stop_sequence", " tiny")),
        ({"matched_stop": " tiny"}, [" tiny"], ("stop_sequence", " tiny")),
        ({"matched_stop": 440}, [" tiny"], ("end_turn", None)),
        ({"stop_reason": None}, [" tiny"], ("end_turn", None)),
        ({"stop_reason": "</s>"}, [" tiny"], ("end_turn", None)),
        ({}, [" tiny"], ("end_turn", None)),
        ({"stop_reason": " tiny"}, None, ("end_turn", None)),
    ],
)
def test_stop_strings(more: Any, stops: Any, wanted: Any) -> None:
    pieces = (chunk({"content": "a"}), chunk(finish="stop", **more), DONE)
    assert ending(*pieces, stop_sequences=stops) == wanted


def test_tgi_tells_that_a_stop_string_was_met_but_not_which() -> None:
    pieces = (chunk({"content": "a"}), chunk(finish="stop_sequence"), DONE)
    assert ending(*pieces, stop_sequences=["x"]) == ("stop_sequence", "x")
    assert ending(*pieces, stop_sequences=["x", "y"]) == ("end_turn", None)


def test_a_whole_call_before_a_stop_string() -> None:
    pieces = (CALL, chunk(finish="stop", stop_reason="x"), DONE)
    assert ending(*pieces, stop_sequences=["x"]) == ("tool_use", None)


CUT = calls(fragment(0, "call_aaaa", "f", '{"x": "ab'))


def test_a_call_cut_by_a_stop_string_is_not_offered() -> None:
    pieces = (CUT, chunk(finish="stop", stop_reason="x"), DONE)
    assert ending(*pieces, stop_sequences=["x"]) == ("stop_sequence", "x")
    assert collected(*pieces, stop_sequences=["x"])["content"] == []


def test_a_call_cut_by_the_limit() -> None:
    pieces = (CUT, chunk(finish="length"), DONE)
    assert ending(*pieces) == ("max_tokens", None)
    block = {"type": "tool_use", "id": "call_aaaa", "name": "f"}
    assert collected(*pieces)["content"] == [block | {"input": {}}]
    assert blocks(streamed(*pieces)) == [block | {"input": '{"x": "ab'}]


def test_calls_that_wait_when_the_limit_cuts() -> None:
    waiting = (
        calls(fragment(0, "call_aaaa", "f", "")),
        calls(fragment(1, "call_bbbb", "g", "{}")),
        calls(fragment(2, "call_cccc", "h", "{")),
        calls(fragment(3, "call_dddd", None, "{}")),
    )
    assert told(*waiting, chunk(finish="length"), DONE) == [("f", {}), ("g", {})]


# Usage


def test_usage_may_come_in_many_ways() -> None:
    whole = {"prompt_tokens": 12, "completion_tokens": 30}
    counts = COUNTS | {"input_tokens": 12, "cache_read_input_tokens": 0}
    for pieces in (
        (chunk({"content": "a"}), chunk(finish="stop"), usage(whole), DONE),
        (chunk({"content": "a"}), chunk(finish="stop"), usage(whole)),
        (chunk({"content": "a"}), chunk(finish="stop", usage=whole)),
        (chunk({"content": "a"}, usage={"prompt_tokens": 12}), chunk(finish="stop", usage=whole)),
        (chunk({"content": "a"}, usage=None), chunk(finish="stop"), usage(None), usage(whole)),
        (chunk({"content": "a"}, "stop"), event({"id": "", "choices": None, "usage": whole})),
        (chunk({"content": "a"}, "stop"), event({"usage": whole})),
    ):
        assert collected(*pieces)["usage"] == counts
        assert streamed(*pieces)[-2]["usage"] == counts


def test_thinking_tokens() -> None:
    for counts in (
        {**USAGE, "completion_tokens_details": {"reasoning_tokens": 7}},
        {**USAGE, "reasoning_tokens": 7},
    ):
        made = translator()
        for piece in (*HELLO, chunk(finish="stop"), usage(counts)):
            made.feed(piece)
        shown = json.loads(made.finish())["usage"]
        assert shown == COUNTS | {"output_tokens_details": {"thinking_tokens": 7}}
        assert made.usage == Usage(12, 30, 11, 7)


def test_usage_that_the_node_never_tells() -> None:
    made = translator(stream=True)
    stream = made.feed(b"".join(HELLO) + chunk(finish="stop") + DONE)
    assert "input_tokens" not in events(stream)[-2]["usage"], "0 would overwrite what is known"
    assert made.usage == Usage()
    message = collected(*HELLO, chunk(finish="stop"), DONE)
    assert message["usage"] == dict.fromkeys(COUNTS, 0), "a message must have them all"


def test_counted_beforehand() -> None:
    made = translator(stream=True, context={"prompt_tokens": 12})
    stream = events(made.feed(b"".join((*HELLO, *STOP))))
    assert stream[0]["message"]["usage"]["input_tokens"] == 12
    assert stream[-2]["usage"] == COUNTS


def test_counted_by_the_node_with_the_first_chunk() -> None:
    made = translator(stream=True)
    stream = events(made.feed(chunk({"role": "assistant"}, usage={"prompt_tokens": 12})))
    assert stream[0]["message"]["usage"]["input_tokens"] == 12


def test_a_lone_count_before_the_finish_is_no_end() -> None:
    assert told(chunk({"content": "a"}), usage(), chunk({"content": "b"}), *STOP) == ["ab"]


@table("counts", [{"prompt_tokens": -1}, {"prompt_tokens": "12"}, [], 7, True])
def test_counts_that_are_none(counts: Any) -> None:
    made = collected(chunk({"content": "a"}, "stop", usage=counts), usage(counts), DONE)
    assert made["usage"]["output_tokens"] == 0


# Signs of life, and what is no event


def test_pings() -> None:
    made = translator(stream=True)
    first = events(made.keepalive())
    assert [one["type"] for one in first] == ["message_start", "ping"]
    assert [one["type"] for one in events(made.keepalive())] == ["ping"]
    rest = events(made.feed(HELLO[1]))
    assert [one["type"] for one in rest] == ["content_block_start", "content_block_delta"]
    made.feed(b"".join(STOP))
    assert made.keepalive() == b""


def test_no_pings_in_a_message() -> None:
    made = translator()
    assert made.keepalive() == b""
    made.feed(b"".join((*HELLO, *STOP)))
    assert json.loads(made.finish())["content"] == [{"type": "text", "text": "Hello"}]


def test_what_nodes_send_besides() -> None:
    noise = (
        b":\n\n",
        b": ping - 2026-11-21\r\n\r\n",
        b"event: sglext_x\nid: 3\n\n",
        b"\n\n",
        event({"id": "x", "choices": [], "prompt_filter_results": []}),
        event({"choices": None}),
        chunk({"role": "assistant", "content": ""}),
        chunk({}),
        event({"choices": [{"index": 0}]}),
        event({"choices": [{"index": 0, "delta": None}]}),
        chunk({"tool_calls": None, "content": None, "reasoning": None}),
        chunk({"tool_calls": [None, 7]}),
    )
    assert told(*noise, chunk({"content": "a"}), *noise, *STOP) == ["a"]


@table("tail", [b"data: {", b"data: {}\n\n", DONE, event({"error": "x"}), b"\xff"])
def test_nothing_behind_the_end_matters(tail: bytes) -> None:
    assert told(chunk({"content": "a"}), *STOP, tail) == ["a"]


# Bodies that are no stream


def test_one_json_body_instead_of_a_stream() -> None:
    message = {
        "role": "assistant",
        "content": "Let me see.",
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"id": "call_aaaa", "function": {"name": "f", "arguments": '{"x":1}'}},
            {"id": "call_bbbb", "function": {"name": "f", "arguments": {"x": 2}}},
        ],
    }
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            "usage": USAGE,
        }
    ).encode()
    assert told(b"\n", body[:20], body[20:], thinking=ADAPTIVE) == [
        ("thinking", "Hm."),
        "Let me see.",
        ("f", {"x": 1}),
        ("f", {"x": 2}),
    ]
    assert collected(body)["usage"] == COUNTS
    assert ending(body) == ("tool_use", None)


@table(
    "body",
    [
        b"",
        b"\n",
        b"{",
        b"{}",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": "a"}}]}',
        b'{"choices": [{"finish_reason": "error", "message": {"content": "a"}}]}',
        b'{"error": {"message": "no"}}',
        b'{"object": "error", "message": "no"}',
        b"<html>",
        b"Internal Server Error",
    ],
)
def test_bodies_that_are_no_reply(body: bytes) -> None:
    broken(body)


def test_a_body_without_end() -> None:
    made = translator()
    made.feed(b"{")
    with pytest.raises(StreamBroken):
        for _ in range(MAX_HELD_BYTES // 2**20 + 1):
            made.feed(b" " * 2**20)


# Broken streams


@table(
    "pieces",
    [
        (),
        (DONE,),
        HELLO,
        (*HELLO, DONE),
        (*HELLO, usage()),
        (*HELLO, usage(), DONE),
        (CALL,),
        (CALL, DONE),
        (*HELLO, event({"error": {"message": "CUDA error", "code": 500}}), DONE),
        (*HELLO, event({"error": "CUDA error"})),
        (*HELLO, event({"object": "error", "message": "CUDA error", "code": 500})),
        (*HELLO, event({"error": {"message": "x"}, "choices": []}), *STOP),
        (*HELLO, chunk(finish="error"), DONE),
        (*HELLO, chunk(finish={"type": "stop"}), DONE),
        (*HELLO, b"data: {\n\n", *STOP),
        (*HELLO, b"data: nothing\n\n", *STOP),
        (*HELLO, b"data: []\n\n", *STOP),
        (*HELLO, b'data: "a"\n\n', *STOP),
        (*HELLO, b"data: \xff\n\n", *STOP),
        (*HELLO, event({"choices": {}}), event({"choices": {"0": 1}}), *STOP),
        (*HELLO, event({"choices": [7]}), *STOP),
        (*HELLO, chunk({"content": 7}), *STOP),
        (*HELLO, chunk({"content": True}), *STOP),
        (CUT, *STOP),
        (CUT, chunk(finish="tool_calls"), DONE),
        (calls(fragment(0, "call_aaaa", "f", "[1]")), *STOP),
        (calls(fragment(0, "call_aaaa", None, "{}")), *STOP),
        (
            calls(fragment(0, "call_aaaa", "f", "{}")),
            calls(fragment(1, "call_bbbb", "g", "{}")),
            calls(fragment(0, None, None, ',"x":1}')),
            *STOP,
        ),
        (b"data: " + b"x" * (16 * 2**20 + 1),),
    ],
)
def test_broken_streams(pieces: tuple[bytes, ...]) -> None:
    assert "CUDA" not in broken(*pieces).message


def test_an_error_in_the_midst_of_events() -> None:
    made = translator(stream=True)
    frame = error_behind(made, surface=Dialect.ANTHROPIC)
    assert events(frame) == [
        {"type": "error", "error": {"type": "api_error", "message": "the node broke; wait"}}
    ]


def test_an_error_instead_of_a_message() -> None:
    assert error_behind(translator(), Framing.UNARY, Dialect.ANTHROPIC) == b""


# Other statuses


def test_a_prompt_that_is_too_long_is_told_in_anthropics_words() -> None:
    error = {"code": 400, "type": "exceed_context_size_error", "message": "request (9004 tokens) …",
             "n_prompt_tokens": 9004, "n_ctx": 4096}  # fmt: skip
    fault = translator().refuse(400, (), json.dumps({"error": error}).encode())
    assert isinstance(fault, BadRequest)
    assert fault.message == "prompt is too long: 9004 tokens > 4096 maximum"


def test_the_nodes_key_is_not_the_clients_affair() -> None:
    fault = translator().refuse(401, (), b'{"error":{"message":"Invalid API Key sk-1"}}')
    assert isinstance(fault, UpstreamFault)
    assert fault.status == 500
    assert "sk-1" not in fault.message


def test_the_client_knows_the_model_by_its_own_name() -> None:
    fault = translator().refuse(404, (), b'{"error":"model \\"tiny\\" not found"}')
    assert fault.status == 404
    assert "claude" in fault.message
    assert "tiny" not in fault.message


@table(
    ("status", "wanted", "kind"),
    [
        (400, 400, "invalid_request_error"),
        (401, 500, "api_error"),
        (403, 500, "api_error"),
        (404, 404, "not_found_error"),
        (408, 504, "timeout_error"),
        (409, 409, "conflict_error"),
        (413, 413, "request_too_large"),
        (422, 400, "invalid_request_error"),
        (424, 500, "api_error"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (501, 400, "invalid_request_error"),
        (502, 529, "overloaded_error"),
        (503, 529, "overloaded_error"),
        (504, 504, "timeout_error"),
    ],
)
def test_statuses_as_the_client_sees_them(status: int, wanted: int, kind: str) -> None:
    fault = translator().refuse(status, ((b"Retry-After", b"7"),), b"<html>")
    assert anthropic.http_status(fault) == wanted
    assert json.loads(anthropic.error_body(fault))["error"]["type"] == kind
    assert fault.retry_after == (7 if status in (429, 502, 503) else None)


def test_arguments_nested_too_deeply_are_no_arguments() -> None:
    deep = '{"a":' * 400 + "1" + "}" * 400
    call = calls(fragment(0, "call_1", "f", deep))
    with pytest.raises(StreamBroken):
        collected(call, chunk(finish="tool_calls"), DONE)
    (block,) = collected(call, chunk(finish="length"), DONE)["content"]
    assert block["input"] == {}


HALF_AND_BIG = r'{"a": "x\ud83d", "n": 123456789012345678901234567890}'


@table("size", [1, 3, 5, len(HALF_AND_BIG)])
def test_half_a_surrogate_pair_and_a_big_number_in_arguments(size: int) -> None:
    pieces = [HALF_AND_BIG[at : at + size] for at in range(0, len(HALF_AND_BIG), size)]
    first = {"index": 0, "id": "call_123456789", "function": {"name": "f", "arguments": ""}}
    deltas = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    chunks = [chunk({"tool_calls": [one]}) for one in (first, *deltas)]
    said = [*chunks, chunk(finish="tool_calls"), DONE]
    wanted = {"a": "x\ufffd", "n": 123456789012345678901234567890}
    (block,) = collected(*said)["content"]
    assert block["input"] == wanted
    shown = [
        one["delta"]["partial_json"]
        for one in streamed(*said)
        if one["type"] == "content_block_delta"
    ]
    # Anthropic's SDK reads it so, and raises ValueError for half a pair.
    assert jiter.from_json("".join(shown).encode())["a"] == "x\ufffd"
    assert json.loads("".join(shown)) == wanted


def test_half_a_surrogate_pair_in_text() -> None:
    broken = chunk({"content": "?"}).replace(b"?", rb"x\ud83d")
    said = (broken, chunk({"content": "y"}), chunk(finish="stop"), DONE)
    (block,) = collected(*said)["content"]
    assert block["text"] == "x\ufffdy"
    (block,) = blocks(streamed(*said))
    assert block["text"] == "x\ufffdy"


@table("blank", [b"data:\n\n", b"data: \n\n", b"event: ping\ndata:\n\n"])
def test_an_event_of_nothing_is_passed_over(blank: bytes) -> None:
    said = (blank, chunk({"content": "x"}), blank, chunk(finish="stop"), blank, DONE, blank)
    (block,) = collected(*said)["content"]
    assert block["text"] == "x"
