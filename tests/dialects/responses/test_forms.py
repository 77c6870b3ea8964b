"""A Responses reply, as events and as one object."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.dialects.core.block_sequencer import TEXT
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.responses.forms import ResponseEventForm, ResponseObjectForm
from casedesk_proxy.dialects.responses.names import FlatNames
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Position, Usage
from tests.fixtures.table import table

FORMS = (ResponseEventForm, ResponseObjectForm)
Form = ResponseEventForm | ResponseObjectForm


def begun(form: type[Form]) -> Form:
    made = form("r1", {}, FlatNames(strict=False))
    made.begin("resp_1", "m", 7)
    made.start(TEXT)
    return made


def test_an_object_says_nothing_before_its_end() -> None:
    """Even a blank would fix the status of the reply."""
    form = begun(ResponseObjectForm)
    form.add("Hi")
    assert form.ping() == b""
    assert form.more(b'" there"') == b""
    assert form.halt() == (b"", Position.INSIDE)
    form.stop()
    form.end("", Usage(1, 2))
    made = json.loads(form.close())
    assert made["output"][0]["content"][0]["text"] == "Hi there"
    assert made["usage"]["total_tokens"] == 3


def test_events_are_kept_alive_by_a_comment_between_them() -> None:
    form = begun(ResponseEventForm)
    first = form.ping()
    assert first.startswith(b"event: response.created\n")
    assert first.endswith(b"\n\n:\n\n")
    assert form.ping() == b":\n\n"


def test_events_that_break_off_show_the_response_again() -> None:
    form = begun(ResponseEventForm)
    form.take()
    shown, position = form.halt()
    assert position is Position.BETWEEN
    assert shown.startswith(b"event: response.in_progress\n")


@table("form", FORMS)
def test_a_reply_without_end_is_not_held(form: type[Form]) -> None:
    with pytest.raises(StreamBroken, match="too large"):
        begun(form).add("x" * (MAX_HELD_BYTES + 1))
