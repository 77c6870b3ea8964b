"""The common part of Anthropic's writer and that of Responses."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.core.block_writer import BlockWriter
from casedesk_proxy.dialects.core.calls import ToolCall
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.reply import Finish
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Usage


class Written:
    """The calls that a form gets, in order."""

    content_type = "text/plain"

    def __init__(self) -> None:
        self.steps: list[tuple[str, ...]] = []

    def start(self, kind: str, ident: str = "", name: str = "") -> None:
        self.steps.append((kind, ident, name))

    def add(self, text: str) -> None:
        self.steps.append(("add", text))

    def stop(self, *, keep: bool = True) -> None:
        self.steps.append(("stop",))

    def take(self) -> bytes:
        return b"taken"

    def close(self) -> bytes:
        return b"closed"

    def more(self, text: bytes) -> bytes:
        return b"<" + text + b">"


class Writer(BlockWriter):
    def __init__(self, context: Context, form: Written) -> None:
        super().__init__(context, form, names={"f_1": "f"}, call_prefix="call_")
        self.opened: list[str] = []

    def _open(self, token: str, usage: Usage) -> None:
        self.opened.append(token)


def writer(request_id: str = "request") -> tuple[Writer, Written]:
    written = Written()
    return Writer(Context("m", "asked", find_engine("vllm"), request_id), written), written


def test_a_reply_begins_once() -> None:
    ours, _ = writer()
    ours.begin("m", "chatcmpl-1", Usage(), answers=True)
    ours.begin("m", "chatcmpl-2", Usage(), answers=True)
    assert ours.opened == ["1"]


def test_a_reply_without_a_beginning_of_its_own_has_to_say_how() -> None:
    base = BlockWriter(Context("m", "asked", find_engine("vllm"), "request"), Written())
    with pytest.raises(NotImplementedError):
        base.begin("m", None, Usage(), answers=True)


def test_a_call_without_an_id_gets_the_same_one_each_time() -> None:
    ids = []
    for request_id in ("one", "one", "two"):
        ours, written = writer(request_id)
        ours.call(ours.choice(0), ToolCall(0, "0", "f_1"), "")
        kind, ident, name = written.steps[0]
        assert (kind, name) == ("tool_use", "f")
        assert ident.startswith("call_")
        ids.append(ident)
    assert ids[0] == ids[1] != ids[2]


def test_thoughts_are_a_block_and_text_of_an_open_one_needs_no_more() -> None:
    ours, written = writer()
    choice = ours.choice(0)
    ours.thought(choice, "hm")
    assert written.steps == [("thinking", "", ""), ("add", "hm")]
    assert not ours.repeats(choice)
    assert (ours.take(), ours.close(), ours.more(b"x")) == (b"taken", b"closed", b"<x>")


def test_a_model_that_repeats_itself_has_not_finished() -> None:
    ours, _ = writer()
    choice = ours.choice(0)
    ours.finish(choice)
    choice.finish = Finish.REPETITION
    with pytest.raises(StreamBroken, match="repeated itself"):
        ours.finish(choice)
