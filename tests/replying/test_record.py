"""What is logged and counted of an exchange that has ended."""

from __future__ import annotations

from casedesk_proxy.errors import (
    BadRequest,
    Busy,
    NoNode,
    ProxyError,
    StreamBroken,
    UpstreamTimeout,
)
from casedesk_proxy.replying.record import ExchangeRecord, Terminal, terminal_of
from casedesk_proxy.terms import Usage
from tests.fixtures.table import table


@table(
    ("error", "terminal"),
    [
        (Busy("m"), Terminal.BUSY),
        (UpstreamTimeout("m"), Terminal.TIMED_OUT),
        (NoNode("m"), Terminal.NODE_UNAVAILABLE),
        (StreamBroken("m"), Terminal.NODE_UNAVAILABLE),
        (BadRequest("m"), Terminal.REFUSED),
    ],
)
def test_how_an_exchange_ends_that_is_answered_with_an_error(
    error: ProxyError, terminal: Terminal
) -> None:
    assert terminal_of(error) is terminal


def test_a_log_line_has_what_is_known_and_nothing_else() -> None:
    assert ExchangeRecord("r", 1.0, method="GET", target="/x", ended=1.5).facts() == {
        "id": "r", "status": 0, "end": "failed", "duration": 0.5, "bytes_out": 0,
        "method": "GET", "target": "/x",
    }  # fmt: skip


def test_a_log_line_in_reading_order() -> None:
    facts = ExchangeRecord(
        "r", 1.0, method="POST", target="/x", client="10.0.0.1", surface="openai", action="chat",
        deployment="d", key="t", asked="gpt", model="tiny", node="a", attempts=2,
        tried=(("b", "timed_out"), ("c", "unreachable")), queued=0.25, status=200,
        terminal=Terminal.COMPLETED, code="c", reason="why", first_byte=1.5, ended=3.0,
        received=9, sent=70, events=3, usage=Usage(1, 2, 3, 4), dropped=("a", "b"), cut_to=5,
    ).facts()  # fmt: skip
    assert facts == {
        "id": "r", "client": "10.0.0.1", "deployment": "d", "key": "t", "surface": "openai",
        "action": "chat", "asked": "gpt", "model": "tiny", "node": "a", "attempts": 2,
        "tried": "b:timed_out,c:unreachable", "queued": 0.25, "status": 200, "end": "completed",
        "code": "c", "reason": "why", "ttfb": 0.5, "duration": 2.0, "bytes_in": 9,
        "bytes_out": 70, "events": 3, "dropped": "a,b", "prompt_tokens": 1, "output_tokens": 2,
        "cached_tokens": 3, "thought_tokens": 4, "cut_to": 5,
    }  # fmt: skip
    assert list(facts)[:3] == ["id", "client", "deployment"]


def test_a_model_under_its_own_name_is_told_once() -> None:
    facts = ExchangeRecord("r", 0.0, action="chat", asked="tiny", model="tiny").facts()
    assert "asked" not in facts
    assert facts["model"] == "tiny"


def test_names_of_a_body_do_not_make_a_line_long() -> None:
    facts = ExchangeRecord("r", 0.0, dropped=("x" * 9999,) * 60).facts()
    assert len(facts["dropped"]) < 51 * 201
    assert facts["dropped"].endswith(",and 10 more")


def test_counts_that_were_estimated_say_so() -> None:
    record = ExchangeRecord("r", 1.0, ended=1.5, usage=Usage(1, 2, estimated=True))
    assert record.facts()["estimated"] == "true"
