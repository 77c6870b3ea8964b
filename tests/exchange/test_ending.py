"""How a broken stream tells its client."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.exchange.ending import broken_ending, is_between_events
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
