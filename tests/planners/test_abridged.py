"""An abridged large body: nothing is lost, and changes of a text are reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.jsonio import JSONError, dumps, loads
from casedesk_proxy.planners.abridged import AbridgedBody, Altered
from casedesk_proxy.planners.held_body import HeldBody


def abridge(raw: bytes) -> AbridgedBody | None:
    return AbridgedBody.of(HeldBody.create(raw))


def check(raw: bytes) -> AbridgedBody:
    short = abridge(raw)
    assert short is not None
    assert len(short.raw) < len(raw) == short.size
    assert short.write(short.raw, as_sent=True).read_all() == raw
    value, whole = loads(short.raw), loads(raw)
    for _ in range(4):  # JSON in a text, in a text again, and so on.
        assert short.write(dumps(value), as_sent=False).read_all() == dumps(whole)
        value, whole = {"a": dumps(value).decode()}, {"a": dumps(whole).decode()}
    return short


WORDS = st.sampled_from(
    ["a", " ", "\n", '"', "\\", "é", "\u2028", "😀", "/", "\x7f", "\t", "\\u", "\x00", "a" * 70]
)
#: Of any length, and around those at which something changes.
TEXTS = st.builds(
    lambda words, times: "".join(words) * times,
    st.lists(WORDS, min_size=1, max_size=8),
    st.sampled_from([1, 100, 1100, 20_000]),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(TEXTS, max_size=3), st.booleans(), st.sampled_from([None, 1]))
def test_nothing_is_lost(texts: list[str], ascii_only: bool, indent: int | None) -> None:
    value = {"long": ["z " * 50_000, *texts], "short": texts[:1]}
    check(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=12), st.sampled_from([300, 900]))
def test_it_is_json_exactly_if_the_whole_is(middle: bytes, at: int) -> None:
    text = b"y" * at + middle + b"y " * 3000
    raw = b'{"a": "%b", "b": ["%b"]}' % (text, b"z " * 4000)
    short = abridge(raw)
    if short is None:
        assert b'"' in middle, "the texts are not where they seem to be"
        return
    try:
        loads(raw)
    except JSONError:
        with pytest.raises(JSONError):
            loads(short.raw)
    else:
        check(raw)


@pytest.mark.parametrize(
    "middle",
    [b"\n", b"\\x", b"\\ud83d", b"\\ude00", b"\xff", b"\xc3", b"\\u12", b"\xed\xa0\x80"],
)
def test_what_is_no_text_stays(middle: bytes) -> None:
    raw = b'["%b", "%b"]' % (b"z " * 9000, b"y " * 600 + middle + b"y " * 600)
    short = abridge(raw)
    assert short is not None
    assert middle + b"y " * 600 in short.raw
    with pytest.raises(JSONError):
        loads(short.raw)


@pytest.mark.parametrize(
    "value",
    [
        {"id": "i" * 5000},
        {"tool_use_id": "i" * 5000},
        {"name": "i" * 5000},
        {"k" * 5000: 1},
        {"blank": " \n" * 3000},
        {"short": ["a" * 1000] * 10},
    ],
)
def test_what_is_compared_or_looked_at_stays(value: dict[str, Any]) -> None:
    assert abridge(json.dumps(value, indent=1).encode()) is None


def test_of_nothing_nothing_is_left_out() -> None:
    assert abridge(b"") is None


def test_so_many_backslashes_stay() -> None:
    raw = json.dumps({"a": "\\" * 5000}).encode()
    assert abridge(raw) is None
    short = check(json.dumps({"a": "a" + "\\" * 500_000, "b": "z " * 600_000}).encode())
    assert len(short.raw) > 1_000_000, "the first one has no place for a cut"


def test_a_piece_without_a_place_for_a_cut_is_taken_whole() -> None:
    check(json.dumps({"a": "z " * 500 + "\\" * 300_000 + " z" * 500}).encode())


def marked() -> tuple[AbridgedBody, dict[str, str]]:
    raw = json.dumps({"text": "some words\n" * 200, "data": "QUJD" * 500}).encode()
    short = check(raw)
    return short, loads(short.raw)


def test_a_mark_is_found() -> None:
    short, value = marked()
    assert short.is_in(b"..." + dumps(value["data"]))
    assert short.is_in(value["text"].encode())
    assert not short.is_in(b"casedeskleft")


def test_data_keep_the_place_of_their_padding() -> None:
    _, value = marked()
    assert len(value["data"]) % 4 == 0
    assert value["data"].isalnum()


@pytest.mark.parametrize("name", ["text", "data"])
def test_a_text_that_is_left_out_has_a_place_nowhere(name: str) -> None:
    short, value = marked()
    del value[name]
    with pytest.raises(Altered):
        short.write(dumps(value), as_sent=False)
    assert list(short.expand(dumps(value))), "which is no matter where a part is asked for"


def alter(text: str) -> list[str]:
    return [
        text.replace("\t", ""),
        text.replace("\t", " "),
        text.replace("\tz", "\t"),
        text.replace("\t", "\\\t"),
        text.upper(),
        text[:150],
        text.encode().hex(),
    ]


@pytest.mark.parametrize("way", range(7))
def test_a_text_that_was_altered_shows(way: int) -> None:
    short, value = marked()
    with pytest.raises(Altered):
        short.write(dumps(value | {"text": alter(value["text"])[way]}), as_sent=False)


def test_what_stands_behind_data_is_not_taken_for_its_mark_s_end() -> None:
    short = abridge(json.dumps({"a": "A" * 2000 + "\tz" + "A" * 29}).encode())
    assert short is not None
    with pytest.raises(Altered):
        short.write(short.raw, as_sent=True)


def test_a_text_may_come_twice() -> None:
    short, value = marked()
    both = dumps([value, value["text"]])
    whole = short.write(both, as_sent=False).read_all()
    assert loads(whole)[1] == "some words\n" * 200
