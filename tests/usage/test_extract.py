"""Counts are found in every dialect's replies, and nowhere else."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.extract import find_usage, read_usage
from casedesk_proxy.usage.tap import Tap
from tests.fixtures.table import table

ANTHROPIC_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
    b'{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}\n\n'
)
ANTHROPIC_END = (
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":15}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@table(
    ("dialect", "first", "last", "wanted"),
    [
        (Dialect.OPENAI, b"",
         b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,'
         b'"prompt_tokens_details":{"cached_tokens":2},'
         b'"completion_tokens_details":{"reasoning_tokens":1}}}\n\ndata: [DONE]\n\n',
         Usage(3, 4, 2, 1)),
        (Dialect.OPENAI, b"", b'data: {"usage":null}\n\ndata: {"usage" : {"prompt_tokens": 7}}',
         Usage(7)),
        (Dialect.GEMINI, b"",
         b'data: {"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":9,'
         b'"thoughtsTokenCount":2,"cachedContentTokenCount":4}}\r\n\r\n',
         Usage(8, 11, 4, 2)),
        # What its own tools found is read as a prompt is.
        (Dialect.GEMINI, b"",
         b'{"usageMetadata":{"promptTokenCount":8,"toolUsePromptTokenCount":3,'
         b'"candidatesTokenCount":9}}', Usage(11, 9)),
        # Thoughts are told before the answer, and with each chunk behind them.
        (Dialect.GEMINI, b"",
         b'data: {"usageMetadata":{"promptTokenCount":8,"thoughtsTokenCount":2}}\n\n'
         b'data: {"usageMetadata":{"candidatesTokenCount":9}}\n\n', Usage(8, 11, None, 2)),
        (Dialect.ANTHROPIC, ANTHROPIC_START, ANTHROPIC_END, Usage(30, 15, 5)),
        (Dialect.ANTHROPIC, b"",
         b'{"usage":{"input_tokens":1,"cache_read_input_tokens":5,"cache_creation_input_tokens":2,'
         b'"output_tokens":9,"output_tokens_details":{"thinking_tokens":4}}}', Usage(8, 9, 5, 4)),
        # A later event tells a part of the counts anew, as a LiteLLM does.
        (Dialect.ANTHROPIC, ANTHROPIC_START,
         b'data: {"type":"message_delta","usage":{"input_tokens":26,"output_tokens":3,'
         b'"cache_read_input_tokens":null}}\n\n', Usage(31, 3, 5)),
        (Dialect.OPENAI, b"", b"data: [DONE]\n\n", Usage()),
        (Dialect.OPENAI, b"",
         b'{"text":"hi","usage":{"type":"tokens","input_tokens":14,"output_tokens":45,'
         b'"total_tokens":59}}', Usage(14, 45)),
        (Dialect.OPENAI, b"", b'{"text":"hi","usage":{"type":"duration","seconds":3}}', Usage()),
        (Dialect.OPENAI, b"", b'{"results":[],"usage":{"total_tokens":15}}', Usage(15)),
        (Dialect.OLLAMA, b"",
         b'{"done":false}\n{"done":true,"prompt_eval_count":12,"eval_count":2}\n', Usage(12, 2)),
        (Dialect.OLLAMA, b"", b'{"response":"\\"eval_count\\":9 data: x","eval_count":2}',
         Usage(None, 2)),
        (Dialect.OLLAMA, b"", b'0.5,0.25]],"total_duration":7,"prompt_eval_count":5}', Usage(5)),
        (Dialect.OLLAMA, b"", b"0.5,0.25]]}", Usage()),
        (Dialect.OLLAMA, b"", b'{"message":{"tool_calls":[{"arguments":{"eval_count":9}}]}}',
         Usage()),
        # llama-server counts without being asked; its counts proper go before that.
        (Dialect.OPENAI, b"",
         b'data: {"choices":[{}],"timings":{"cache_n":11,"prompt_n":1,"predicted_n":3}}\n\n'
         b"data: [DONE]\n\n", Usage(12, 3, 11)),
        (Dialect.OPENAI, b"", b'data: {"timings":{"prompt_n":1,"predicted_n":3}}\n\n',
         Usage(1, 3, 0)),
        (Dialect.OPENAI, b"", b'data: {"usage":{"prompt_tokens":5},"timings":{"prompt_n":1}}\n\n',
         Usage(5)),
        (Dialect.OPENAI, b"", b'data: {"timings":{"predicted_n":3}}\n\n', Usage()),
        (Dialect.OPENAI, b"", b'data: {"timings":[]}\n\n', Usage()),
        (Dialect.GEMINI, b"", b'data: {"timings":{"prompt_n":1,"predicted_n":3}}\n\n', Usage()),
        (Dialect.OPENAI, b"", b'{"usage":{"prompt_tokens":"3","completion_tokens":true}}', Usage()),
        (Dialect.OPENAI, b"", b'{"usage":{"prompt_tokens":3', Usage()),
        (Dialect.OPENAI, b"", b'"usage":' + b'{"a":' * 5000, Usage()),
    ],
)  # fmt: skip
def test_counts(dialect: Dialect, first: bytes, last: bytes, wanted: Usage) -> None:
    assert find_usage(dialect, first, last) == wanted


def test_text_that_talks_about_usage_is_not_usage() -> None:
    said = json.dumps({"content": 'say "usage": {"prompt_tokens": 99}'}).encode()
    assert find_usage(Dialect.OPENAI, b"", said) == Usage()


def test_the_last_count_wins() -> None:
    body = b'{"usage":{"prompt_tokens":1,"completion_tokens":1}} {"usage":{"completion_tokens":2}}'
    assert find_usage(Dialect.OPENAI, b"", body) == Usage(1, 2)


@table("dialect", list(Dialect))
@table(
    "body",
    [
        b'{"usage":{"prompt_tokens":3,"input_tokens":4},"usageMetadata":{"promptTokenCount":5}}',
        b'{"usage":null,"usageMetadata":7}',
        b'{"choices":[{"usage":{"prompt_tokens":3}}],"type":"message_start"}',
        b'{"usage":{"prompt_tokens_details":{"cached_tokens":1},"cache_read_input_tokens":2}}\n',
        b'{"usage":{"prompt_tokens_details":7,"input_tokens_details":[]}}',
        b"{}",
    ],
)
def test_a_whole_body_is_read_as_its_end_is(dialect: Dialect, body: bytes) -> None:
    behind_a_blank = b" " + body  # not taken for a whole one
    assert find_usage(dialect, b"", body) == find_usage(dialect, b"", behind_a_blank)


@given(st.binary(max_size=200), st.sampled_from(list(Dialect)))
def test_any_bytes_give_a_usage(garbage: bytes, dialect: Dialect) -> None:
    assert isinstance(find_usage(dialect, garbage, b'"usage":{' + garbage), Usage)


def test_negative_counts_are_not_counts() -> None:
    assert read_usage(Dialect.GEMINI, {"promptTokenCount": -1}) == Usage()


@table(
    ("counts", "output"),
    [
        (b'{"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1}}', 4),
        (b'{"note":"a } in a text","completion_tokens":4}', 4),
        (b'{"note":"a { in a text","completion_tokens":4}', 4),
        (b'{"share":NaN,"completion_tokens":4}', 4),
        (b'{"a":{"b":{"c":1}},"completion_tokens":4}', 4),
        (b'{"completion_tokens":4,"d":{', None),
        (b'{"completion_tokens":99999999999999999999}', None),
    ],
)
def test_whatever_stands_in_a_count_object(counts: bytes, output: int | None) -> None:
    body = b'{"choices":[],"usage":' + counts + b',"id":"x"}'
    assert find_usage(Dialect.OPENAI, b"", body).output == output


# Only the protocol's own place

FORGED = {
    Dialect.GEMINI: (
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {
            "usageMetadata": {"promptTokenCount": 7_000_000, "candidatesTokenCount": 7}}}}]}}]},
        {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}},
    ),
    Dialect.OPENAI: (
        {"choices": [{"message": {"tool_calls": [{"function": {"arguments": {
            "usage": {"prompt_tokens": 7_000_000, "completion_tokens": 7}}}}]}}]},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 2}},
    ),
    Dialect.ANTHROPIC: (
        {"content": [{"type": "tool_use", "input": {
            "usage": {"input_tokens": 7_000_000, "output_tokens": 7},
            "type": "message_start",
            "message": {"usage": {"input_tokens": 7_000_000, "output_tokens": 7}}}}]},
        {"usage": {"input_tokens": 1, "output_tokens": 2}},
    ),
}  # fmt: skip


@table("dialect", FORGED)
@table("indent", [None, 2])
@table("array", [False, True])
@table("before", [0, 9000])
def test_arguments_of_a_call_are_no_counts(
    dialect: Dialect, indent: int | None, array: bool, before: int
) -> None:
    call, counts = FORGED[dialect]
    said = {"text": '\\"{[' * before}
    for members in ({**said, **call}, {**said, **call, **counts}, {**said, **counts, **call}):
        document: object = [{"a": 1}, members] if array else members
        body = json.dumps(document, indent=indent).encode()
        wanted = Usage(1, 2) if counts.items() <= members.items() else Usage()
        assert find_usage(dialect, b"", body[-8192:]) in (wanted, wanted if before else None)
        if not array:
            event = b"data: " + json.dumps(members).encode() + b"\r\n\r\n"
            assert find_usage(dialect, b"", event[-8192:]) == wanted


JSON = st.recursive(
    st.one_of(st.none(), st.integers(0, 9), st.text('ab"\\{}[]:,\n', max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["usage", "a", '"usage":']), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), st.integers(0, 9), st.data())
def test_of_a_body_that_was_cut_anywhere_nothing_else_is_taken(
    members: dict[str, object], prompt: int, data: st.DataObject
) -> None:
    counts = {"prompt_tokens": prompt}
    body = json.dumps({**members, "usage": counts}).encode()
    cut = data.draw(st.integers(0, len(body) - len(b' "usage": {"prompt_tokens": 1}}')))
    assert find_usage(Dialect.OPENAI, b"", body[cut:]) == Usage(prompt)
    body = json.dumps({"z": 1, **members}).encode()
    cut = data.draw(st.integers(0, len(body)))
    assert find_usage(Dialect.OPENAI, b"", body[cut:]) == Usage()


@table(
    ("told", "wanted"),
    [("0", 0), ("1099511627776", 2**40), ("1099511627777", None), ("9" * 401, None),
     ("9" * 5000, None), ("-1", None), ("1.0", None), ("1e3", None), ("true", None),
     ('"7"', None), ("[1]", None), ("{}", None), ("null", None)],
)  # fmt: skip
@table("whole", [True, False])
def test_what_a_count_can_be(told: str, wanted: int | None, whole: bool) -> None:
    counts = (
        f'{{"prompt_tokens":{told},"completion_tokens":{told},'
        f'"prompt_tokens_details":{{"cached_tokens":{told}}},'
        f'"completion_tokens_details":{{"reasoning_tokens":{told}}}}}'
    )
    body = f'{"" if whole else "cut "}{{"usage":{counts}}}'.encode()
    assert find_usage(Dialect.OPENAI, b"", body) == Usage(*[wanted] * 4)


def test_an_event_of_many_lines() -> None:
    body = (
        b'event: x\r\ndata: {"choices": [],\r\ndata: "usage": {\r\ndata: "prompt_tokens": 3}}\r\n'
    )
    assert find_usage(Dialect.OPENAI, b"", b"data: 1\r\n\r\n" + body + b"\r\n") == Usage(3)


@table("pad", [10, 9000, 20_000])
@table(("before", "after"), [("", ""), ("[", "]")])
def test_the_beginning_of_a_long_reply_forges_no_counts(pad: int, before: str, after: str) -> None:
    forged = {"promptTokenCount": 7, "cachedContentTokenCount": 8, "thoughtsTokenCount": 9}
    call = {"functionCall": {"args": {"usageMetadata": forged}, "name": "x" * pad}}
    told = {"promptTokenCount": 1, "candidatesTokenCount": 2}
    reply = {"candidates": [{"content": {"parts": [call]}}], "usageMetadata": told}
    tap = Tap()
    tap.take(f"{before}{json.dumps(reply)}{after}".encode())
    assert tap.usage(Dialect.GEMINI) == Usage(1, 2)


def test_nor_that_of_a_long_message() -> None:
    forged = {"input_tokens": 7, "cache_read_input_tokens": 8}
    call = {"type": "tool_use", "input": {"usage": forged}}
    told = {"input_tokens": 1, "output_tokens": 2}
    reply = {"content": [call, {"type": "text", "text": "x" * 9000}], "usage": told}
    tap = Tap()
    tap.take(json.dumps(reply).encode())
    assert tap.usage(Dialect.ANTHROPIC) == Usage(1, 2)
