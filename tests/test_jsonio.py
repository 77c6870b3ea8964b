"""JSON that orjson alone would change, lose or refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.jsonio import (
    JSONError,
    PieceRepair,
    TooDeep,
    dumps,
    dumps_stream,
    is_deeper,
    is_stream_safe,
    loads,
    loads_exact,
    loads_repaired,
    with_exact_numbers,
)
from tests.fixtures.table import table


def nested(levels: int) -> Any:
    return loads('{"a":' * levels + "[]" + "}" * levels)


@table("write", [dumps, dumps_stream])
def test_what_can_be_read_but_not_written(write: Any) -> None:
    assert loads(write(nested(200))) == nested(200)
    with pytest.raises(TooDeep):
        write(nested(1000))


def test_what_is_no_json_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError):
        dumps(object())


def test_is_deeper() -> None:
    assert not is_deeper(1, 0)
    assert is_deeper([], 0)
    assert not is_deeper([], 1)
    assert not is_deeper({"a": [1], "b": 2}, 2)
    assert is_deeper({"a": 1, "b": [{}]}, 2)
    assert is_deeper(nested(1000), 200)


BIG = 123456789012345678901234567890


@table("number", [2**63, -(2**63) - 1, 2**64, BIG, -BIG, 10**300])
def test_whole_numbers_of_any_size_come_and_go_as_they_are(number: int) -> None:
    text = b'{"a":[%d,1.5,"\xc3\xa9"]}' % number
    assert dumps(loads_exact(text)) == text
    assert dumps_stream(loads_exact(text)) == text


def test_the_way_for_usual_numbers_is_the_fast_one() -> None:
    value = {"n": 2**63 - 1, "digits": "1" * 18, "float": 1e300}
    assert with_exact_numbers(value, dumps({"n": 1, "digits": "1" * 18})) is value
    # A long row of digits in a text costs time, and nothing else.
    text = dumps({"digits": "1" * 40, "n": 7})
    assert loads_exact(text) == {"digits": "1" * 40, "n": 7}


def test_a_big_number_in_too_deep_a_value_stays_inexact() -> None:
    """Such a deep value cannot be written, either."""
    text = b"[" * 1000 + b"%d" % BIG + b"]" * 1000
    with pytest.raises(TooDeep):
        dumps(loads_exact(text))
    too_deep: list[object] = [2**64]
    for _ in range(300_000):  # CPython 3.14 writes some 50 000 levels, with 8 MiB of stack
        too_deep = [2**64, too_deep]
    with pytest.raises(TooDeep):
        dumps(too_deep)


@table(
    ("data", "safe"),
    [
        (b'"a"', True),
        ('"é"'.encode(), True),
        ('"\u2028"'.encode(), False),
        ('"\u2029"'.encode(), False),
        ('"\x85"'.encode(), False),
        (b'"\xff"', False),
    ],
)
def test_is_stream_safe(data: bytes, safe: bool) -> None:
    assert is_stream_safe(data) is safe
    if data != b'"\xff"':
        assert (dumps_stream(loads(data)) == data) is safe


@table("breaker", ["\u2028", "\u2029", "\x85", ""])
@table("before", ["", "–", "é–" * 100, "\xa0" * 3])
def test_what_breaks_lines_is_found_in_long_texts(breaker: str, before: str) -> None:
    text = before + "a" * 5000 + breaker + "“”"
    written = dumps_stream(text)
    assert loads(written) == text
    assert written.decode().count("\\u") == len(breaker)
    assert is_stream_safe(dumps(text)) is (not breaker)


HALVES = [
    (rb'"x\ud83d"', "x\ufffd"),
    (rb'"\ude00\ud83d y"', "\ufffd\ufffd y"),
    (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
    (rb'"\uD83D\uDE00"', "\U0001f600"),
    (rb'"\\ud83d"', r"\ud83d"),
    (rb'"\\\ud83d"', "\\\ufffd"),
]


@table(("text", "wanted"), HALVES)
def test_half_a_surrogate_pair_is_replaced(text: bytes, wanted: str) -> None:
    assert loads_repaired(text) == loads_exact(text) == wanted
    assert json.loads(dumps(loads_repaired(text))) == wanted


@table("text", [b"{", rb'"\ud83d', rb'"\ud83d\q"', b'"\xff"', b"NaN"])
def test_what_is_not_json_stays_none(text: bytes) -> None:
    for read in (loads, loads_repaired, loads_exact):
        with pytest.raises(JSONError):
            read(text)


def repaired_in(pieces: list[str]) -> str:
    repair = PieceRepair()
    return "".join([repair.feed(piece) for piece in pieces]) + repair.finish()


@table(("text", "wanted"), HALVES)
def test_pieces_of_any_size_are_repaired(text: bytes, wanted: str) -> None:
    for size in range(1, len(text) + 1):
        words = text.decode()
        pieces = [words[at : at + size] for at in range(0, len(words), size)]
        assert json.loads(repaired_in(pieces)) == wanted


@given(st.text(alphabet='\\ud83de0a"n ', max_size=40), st.data())
def test_pieces_are_repaired_as_the_whole_is(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert repaired_in(pieces) == repaired_in([text])


def test_what_only_looks_like_an_escape_is_not_held_back() -> None:
    repair = PieceRepair()
    assert repair.feed(r"\uzz" + "x" * 20) == r"\uzz" + "x" * 20
    assert repair.finish() == ""
