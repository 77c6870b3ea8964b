"""Events in the place of Google's array: what the client gets, and what is not an answer."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.errors import NodeError, StreamBroken
from casedesk_proxy.replying.bodies.arrayed import ArrayingTranslator
from casedesk_proxy.terms import Position, Usage
from casedesk_proxy.wire.sse import MAX_EVENT_BYTES, google_frame
from tests.fixtures.table import table

COUNTS = {"promptTokenCount": 1, "candidatesTokenCount": 2}
BEGUN = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
ENDED = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": COUNTS}


def events(*documents: object) -> bytes:
    return b"".join(google_frame(json.dumps(one).encode()) for one in documents)


def translator(*, is_opened: bool = False) -> ArrayingTranslator:
    return ArrayingTranslator("m", is_opened=is_opened)


def test_blanks_around_an_element_are_nothing() -> None:
    made = translator()
    array = (
        made.feed(b'data:  {"candidates": []}\n\ndata:\n\ndata: \t\n\n' + events(ENDED))
        + made.finish()
    )
    assert json.loads(array) == [{"candidates": []}, ENDED]


@table(
    ("payload", "did"),
    [
        (b'{"candidates": [', "not JSON"),
        (b"{}}", "not JSON"),
        (b"[]", "not an object"),
        (b'"{"', "not an object"),
    ],
)
def test_an_event_that_would_make_the_array_unreadable(payload: bytes, did: str) -> None:
    made = translator()
    made.feed(events(BEGUN))
    with pytest.raises(StreamBroken, match=did):
        made.feed(google_frame(payload))


def test_half_an_emoji_is_relayed() -> None:
    made, half = translator(), b'{"candidates":[{"finishReason":"STOP","x":"\\ud83d"}]}'
    assert made.feed(google_frame(half)) + made.finish() == b"[" + half + b"\n]"


@table("size", [1, 7, 1000])
@table("rest", [b"", b"data: [DONE]\n\n"])
def test_each_event_is_an_element(size: int, rest: bytes) -> None:
    made, stream = translator(), events(BEGUN, ENDED) + rest
    array = b"".join(made.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    array += made.finish()
    assert json.loads(array) == [BEGUN, ENDED]
    assert array.startswith(b"["), "google-generativeai reads no blank before it"
    assert made.complete
    assert made.usage == Usage(1, 2)


def test_the_last_event_may_lack_its_blank_line() -> None:
    made = translator()
    made.feed(events(BEGUN))
    made.feed(events(ENDED).rstrip())
    assert json.loads(b"[" + made.finish().lstrip(b"\n,\r")) == [ENDED]


def test_a_client_that_waited_has_the_bracket() -> None:
    made = translator(is_opened=True)
    assert made.halt() == (b"", Position.OPENED)
    assert made.feed(events(ENDED)).startswith(b"{")
    assert made.finish() == b"\n]"


def test_a_stream_that_breaks() -> None:
    made = translator()
    assert made.halt() == (b"", Position.UNOPENED)
    assert made.keepalive() == b"["
    made.feed(events(BEGUN | {"usageMetadata": COUNTS}) + b"data: {")
    assert made.keepalive() == b"\n"
    assert made.halt() == (b"", Position.BETWEEN)
    assert made.usage == Usage(1, 2)


@table(
    ("stream", "did"),
    [
        (b"", "reply was empty"),
        (b": ping\n\n", "reply was empty"),
        (events(BEGUN), "ended before the answer was complete"),
    ],
)
def test_what_is_no_answer(stream: bytes, did: str) -> None:
    made = translator()
    made.feed(stream)
    with pytest.raises(StreamBroken, match=did):
        made.finish()


def test_an_error_that_comes_first_is_judged() -> None:
    said = events({"error": {"code": 503, "message": "no"}})
    for at in (0, 12):
        made = translator()
        made.feed(said[:at])
        with pytest.raises(NodeError) as caught:
            made.feed(said[at:])
        assert caught.value.answered == 503


def test_an_error_that_comes_later_is_no_end() -> None:
    made = translator()
    made.feed(events(BEGUN))
    with pytest.raises(NodeError):
        made.feed(events({"error": {"code": 503, "message": "no"}}))
    assert not made.complete


def test_an_event_without_end() -> None:
    with pytest.raises(StreamBroken, match="an event that is too large"):
        translator().feed(b"data: " + b"x" * MAX_EVENT_BYTES)
