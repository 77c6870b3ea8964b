"""Counts are found in every dialect's replies, and nowhere else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.extract import find_usage, read_usage

ANTHROPIC_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
    b'{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}\n\n'
)
ANTHROPIC_END = (
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":15}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@pytest.mark.parametrize(
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
         Usage(8, 9, 4, 2)),
        (Dialect.ANTHROPIC, ANTHROPIC_START, ANTHROPIC_END, Usage(25, 15, 5)),
        (Dialect.OPENAI, b"", b"data: [DONE]\n\n", Usage()),
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


@given(st.binary(max_size=200), st.sampled_from(list(Dialect)))
def test_any_bytes_give_a_usage(garbage: bytes, dialect: Dialect) -> None:
    assert isinstance(find_usage(dialect, garbage, b'"usage":{' + garbage), Usage)


def test_negative_counts_are_not_counts() -> None:
    assert read_usage(Dialect.GEMINI, {"promptTokenCount": -1}) == Usage()


@pytest.mark.parametrize(
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
