"""Blocks are sent one after another, in whatever order a node sends words and calls."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.core.block_sequencer import TEXT, BlockSequencer
from casedesk_proxy.dialects.core.calls import ToolCall
from casedesk_proxy.errors import StreamBroken


class Shown:
    """The blocks that a client has: kind, name and text, and "cut" for a block that is not kept."""

    def __init__(self) -> None:
        self.blocks: list[list[str]] = []

    def start(self, kind: str, ident: str = "", name: str = "") -> None:
        self.blocks.append([kind, name, ""])

    def add(self, text: str) -> None:
        self.blocks[-1][2] += text

    def stop(self, *, keep: bool = True) -> None:
        if not keep:
            self.blocks[-1].append("cut")


def sequencer() -> tuple[BlockSequencer, Shown]:
    shown = Shown()
    return BlockSequencer(shown, {"f_1": "f"}, lambda nth: f"made_{nth}"), shown


def test_words_behind_a_call_that_is_not_whole_wait() -> None:
    blocks, shown = sequencer()
    call = ToolCall(0, "c1", "f_1")
    call.pieces = ['{"a":']
    blocks.call(call, '{"a":')
    blocks.words(TEXT, "words")
    assert shown.blocks == [["tool_use", "f", '{"a":']]
    call.pieces.append("1}")
    blocks.call(call, "1}")
    blocks.words(TEXT, " more")
    assert blocks.complete(cut=False, keep=False)
    assert shown.blocks == [["tool_use", "f", '{"a":1}'], ["text", "", "words more"]]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["{}", '{"a":', "1}"], '{"a":1}'),
        (["{}"], "{}"),
        (['"{', '\\"a\\":', '1}"'], '{"a":1}'),
        (["nu", "ll"], "{}"),
        ([], "{}"),
    ],
)
def test_arguments_that_clients_get_in_another_form(pieces: list[str], text: str) -> None:
    blocks, shown = sequencer()
    call = ToolCall(0, "c1", "f_1")
    blocks.call(call, "")
    for piece in pieces:
        call.add(piece)
        blocks.call(call, piece)
    blocks.words(TEXT, "words")
    assert blocks.complete(cut=False, keep=False)
    assert shown.blocks == [["tool_use", "f", text], ["text", "", "words"]]


@pytest.mark.parametrize(
    ("name", "piece", "did"),
    [("f_1", "[1]", "arguments are not a JSON object"), ("", "{}", "a tool call without a name")],
)
def test_a_call_that_no_client_can_make(name: str, piece: str, did: str) -> None:
    blocks, _ = sequencer()
    call = ToolCall(0, "c1", name)
    call.add(piece)
    blocks.call(call, piece)
    with pytest.raises(StreamBroken, match=did):
        blocks.complete(cut=False, keep=False)


def test_a_name_that_may_get_longer_waits_for_the_arguments() -> None:
    blocks, shown = sequencer()
    first, second = ToolCall(0, "c1", "f_1"), ToolCall(1, "c2")
    first.add('{"a":1}')
    blocks.call(first, first.pieces[0])
    second.name = "get_"
    blocks.call(second, "")
    assert shown.blocks == [["tool_use", "f", '{"a":1}']]
    second.name = "get_weather"
    second.add('{"b":')
    blocks.call(second, '{"b":')
    assert shown.blocks[1:] == [["tool_use", "get_weather", '{"b":']]


def test_a_name_that_is_whole_is_shown_at_once() -> None:
    blocks, shown = sequencer()
    blocks.call(ToolCall(0, "c1", "f_1"), "")
    assert shown.blocks == [["tool_use", "f", ""]]


def test_words_behind_a_call_that_was_cut_are_shown_at_the_end() -> None:
    blocks, shown = sequencer()
    call = ToolCall(0, "c1", "f_1")
    call.pieces = ['{"a":']
    blocks.call(call, '{"a":')
    blocks.words(TEXT, "words")
    with pytest.raises(StreamBroken):
        blocks.complete(cut=False, keep=False)
    assert not blocks.complete(cut=True, keep=False)
    assert shown.blocks == [["tool_use", "f", '{"a":', "cut"], ["text", "", "words"]]
