"""A conversation's key: it stays the same while the conversation grows, and differs from all
others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.planning.conversation_key import conversation_key, request_key
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table


def turn(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}], "content": text}


def body(surface: Dialect, system: str, *turns: str) -> dict[str, Any]:
    said = [turn(text, "user" if number % 2 == 0 else "model") for number, text in enumerate(turns)]
    if surface is Dialect.GEMINI:
        return {"systemInstruction": {"parts": [{"text": system}]}, "contents": said}
    if surface is Dialect.ANTHROPIC:
        return {"system": system, "messages": said}
    return {"messages": [turn(system, "system"), *said]}


@table("surface", list(Dialect))
def test_a_conversation_keeps_its_key_as_it_grows(surface: Dialect) -> None:
    first = conversation_key(surface, body(surface, "be kind", "hello"))
    assert conversation_key(surface, body(surface, "be kind", "hello", "hi", "more")) == first
    assert conversation_key(surface, body(surface, "be kind", "good day")) != first
    assert conversation_key(surface, body(surface, "be rude", "hello")) != first


def test_both_spellings_of_googles_field_count() -> None:
    one = conversation_key(Dialect.GEMINI, {"systemInstruction": "x", "contents": []})
    assert conversation_key(Dialect.GEMINI, {"system_instruction": "x", "contents": []}) == one
    assert conversation_key(Dialect.GEMINI, {"contents": []}) != one


@table("surface", list(Dialect))
def test_what_is_no_conversation_has_a_key_too(surface: Dialect) -> None:
    odd = {"messages": "x", "contents": 7, "system": 7, "input": 7}
    assert len(conversation_key(surface, odd)) == 16


def test_claude_codes_volatile_line_moves_no_conversation() -> None:
    def key(mark: str) -> bytes:
        system = [
            {"type": "text", "text": f"x-anthropic-billing-header: cc={mark}"},
            {"type": "text", "text": "You are"},
        ]
        return conversation_key(Dialect.ANTHROPIC, {"system": system, "messages": [turn("a")]})

    assert key("1") == key("2")


class Marked:
    """A body whose words of 70,000 bytes are each replaced by a single character."""

    size = 70_000

    def expand(self, data: bytes, *, as_sent: bool = False) -> Iterator[bytes]:
        for piece in re.split(b"([#%])", data):
            yield piece if piece not in (b"#", b"%") else piece * 35_000 + b"\xff" * as_sent


def test_what_is_left_out_of_a_conversation_counts() -> None:
    def key(word: str, marked: Marked | None) -> bytes:
        return conversation_key(Dialect.OPENAI, {"messages": [turn(word)]}, marked)

    assert key("#", Marked()) == key("#" * 35_000, None)
    assert key("#", Marked()) != key("%", Marked())


def test_what_is_left_out_of_another_request_counts_as_it_was_sent() -> None:
    assert request_key(b"{#", Marked()) == request_key(b"{" + b"#" * 35_000 + b"\xff")
    assert request_key(b"##%", Marked()) == request_key(b"###", Marked()), (
        "beyond what is looked at"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["messages", "contents", "system", "systemInstruction", "prompt", "input"])


@given(st.sampled_from(list(Dialect)), st.dictionaries(NAMES, JSON, max_size=4))
def test_nothing_that_is_json_is_too_odd_for_a_key(surface: Dialect, value: dict[str, Any]) -> None:
    assert len(conversation_key(surface, value)) == 16


@table("surface", [Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.GEMINI])
def test_what_is_nested_too_deeply_for_a_key_has_one(surface: Dialect) -> None:
    deep = json.loads('{"a":' * 400 + "1" + "}" * 400)
    turns = "contents" if surface is Dialect.GEMINI else "messages"
    assert len(conversation_key(surface, {turns: [deep]})) == 16
