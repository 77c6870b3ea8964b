"""Tool calls are assembled from pieces, in order, and their arguments are an object or invalid."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.calls import (
    ToolCall,
    in_order,
    plain_arguments,
    read_arguments,
    write_arguments,
)
from casedesk_proxy.errors import StreamBroken
from tests.fixtures.table import table


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@table(
    ("text", "value"),
    [
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ('{"x":1}', {"x": 1}),
        ('{"x":12345678901234567890}', {"x": 12345678901234567890}),
        ("[1]", None),
        ("7", None),
        ('{"x":', None),
        ('{"x":"\ud800"}', {"x": "?"}),
        (nested(300), None),
        # vLLM's parser for Hermes with Granite 4.
        (r'"{\"x\": \"a\\nb\"}"', {"x": "a\nb"}),
        ('"text"', None),
        ('"', None),
    ],
)
def test_arguments(text: str, value: Any) -> None:
    assert read_arguments(text) == value


def test_pieces_are_joined() -> None:
    call = ToolCall(0, "a", "f")
    assert call.arguments() == {}
    call.pieces += ['{"x"', ":1}"]
    assert call.arguments() == {"x": 1}


def test_a_first_empty_object_is_replaced() -> None:
    call = ToolCall(0, "a", "f")
    for piece in ("{}", '{"x":', "{}", "}"):
        call.add(piece)
    assert call.arguments() == {"x": {}}


class Piece(str):
    """Counts how often it is read."""

    read = 0

    def encode(self, *how: str) -> bytes:
        self.read += 1
        return super().encode(*how)


@table(
    ("pieces", "whole"),
    [
        (['{"a":', "1}"], [False, True]),
        (['{"a":"{}', "{}", '{"', "}"], [False, False, False, True]),
        (["{1}", "{1}", "{}"], [False, False, False]),
        (["{}", '{"a":', "{}}"], [True, False, True]),
        (["{" * 1001, "}"], [False, False]),
    ],
)
def test_whether_the_object_is_whole_is_asked_of_each_piece_once(
    pieces: list[str], whole: list[bool]
) -> None:
    """Asked of all of them after each piece, 8 000 pieces took a minute of the loop."""
    call, added = ToolCall(0), [Piece(one) for one in pieces]
    found = []
    for one in added:
        call.add(one)
        found.append(call.is_whole())
    assert found == whole
    assert all(one.read <= 1 for one in added)


@table(
    ("pieces", "undecided"),
    [
        ([], True), ([" ", "n"], True), (["nu", "ll"], True), (["{}"], True), (['"{'], True),
        (["{"], False), (["{}", "}"], False), (["[1"], False), ([" "] * 9, True),
    ],
)  # fmt: skip
def test_what_the_first_pieces_show(pieces: list[str], undecided: bool) -> None:
    call = ToolCall(0, "a", "f")
    call.pieces = pieces
    assert call.is_undecided() is undecided


@table(
    ("text", "plain"),
    [
        ("", "{}"), (" null ", "{}"), ("{}", "{}"), (r'"{\"x\": 1}"', '{"x": 1}'), ("[1]", "[1]"),
        ('{"x":', '{"x":'), ('"{', '"{'), (r'"{\"x\": \"\ud83d\"}"', '{"x": "\ufffd"}'),
    ],
)  # fmt: skip
def test_what_clients_get_of_arguments(text: str, plain: str) -> None:
    assert plain_arguments(text) == plain


def test_calls_are_ordered_by_index_and_repeated_ids_are_removed() -> None:
    calls = [ToolCall(1, "0", "c"), ToolCall(0, "0", "a"), ToolCall(0, "", "b")]
    ordered = in_order(calls)
    assert [(call.name, call.id) for call in ordered] == [("a", "0"), ("b", ""), ("c", "")]


def test_an_object_becomes_text() -> None:
    assert write_arguments({"x": [1, None]}) == '{"x":[1,null]}'
    deep: Any = 1
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(StreamBroken, match="nested too deeply"):
        write_arguments(deep)
