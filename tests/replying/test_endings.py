"""How a broken stream tells its client."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.replying.endings import ArrayTap, broken_ending, is_between_events
from casedesk_proxy.terms import Dialect, Framing

ERROR = StreamBroken("the node closed")


@pytest.mark.parametrize("surface", list(Dialect))
def test_between_events_the_error_is_told_error_first(surface: Dialect) -> None:
    frame = broken_ending(surface, Framing.SSE, b"data: {}\n\n", ERROR)
    data = frame.split(b"data: ")[1]
    assert is_between_events(frame)
    told = json.loads(data)
    assert told["error"]["message"] == "the node closed"
    if surface is not Dialect.ANTHROPIC:
        assert next(iter(told)) == "error"


@pytest.mark.parametrize("tail", [b"data: {", b"data: {}\n", b"data: {}\r\n"])
def test_inside_an_event_nothing_is_added(tail: bytes) -> None:
    assert broken_ending(Dialect.GEMINI, Framing.SSE, tail, ERROR) == b""


@pytest.mark.parametrize("tail", [b"", b"x\n\n", b"x\r\n\r\n", b"x\r\r"])
def test_every_line_end_is_known(tail: bytes) -> None:
    assert is_between_events(tail)


def test_a_body_that_is_no_stream_is_only_cut() -> None:
    assert broken_ending(Dialect.OPENAI, Framing.UNARY, b"", ERROR) == b""


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", b"["),
        (b"[", b""),
        (b'[{"a": [1, "]"]}', b","),
        (b'[{"a": 1}\r\n', b","),
        (b'[{"a": 1}\r\n,\r\n', b""),
    ],
)
def test_between_elements_the_error_is_one(sent: bytes, told: bytes) -> None:
    tap = ArrayTap()
    tap.take(sent)
    ending = tap.ending(tap.last, ERROR)
    assert ending.startswith(told)
    whole = json.loads(sent + ending + b"]")
    assert whole[-1]["error"]["message"] == "the node closed"


@pytest.mark.parametrize("sent", [b'[{"a', b'[{"a": 1', b"[{}]", b"<html>", b'[{"a": "}'])
def test_elsewhere_an_array_is_only_cut(sent: bytes) -> None:
    tap = ArrayTap()
    tap.take(sent)
    assert tap.ending(tap.last, ERROR) == b""
