"""One line per exchange, with any content of its fields."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import NotFound, ProxyError
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.telemetry.accesslog import access_log, as_logfmt, usual_line
from casedesk_proxy.telemetry.log_output import LogFormatter, flush
from casedesk_proxy.terms import Usage
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.table import table


def test_the_line() -> None:
    outcome = ExchangeRecord(
        request_id="r1", started=10.0, surface="openai", action="chat/completions",
        deployment="desk", key="alice", asked="gpt", model="gemma2:9b", node="gpu0", attempts=1,
        status=200, terminal=Terminal.COMPLETED, first_byte=10.25, ended=12.5, received=100,
        sent=2000, events=40, usage=Usage(3, 40),
    )  # fmt: skip
    assert as_logfmt(outcome.facts()).decode() == (
        "id=r1 deployment=desk key=alice surface=openai action=chat/completions asked=gpt "
        "model=gemma2:9b node=gpu0 status=200 end=completed ttfb=0.25 duration=2.5 bytes_in=100 "
        "bytes_out=2000 events=40 prompt_tokens=3 output_tokens=40"
    )


def test_an_unread_request_shows_its_target() -> None:
    outcome = ExchangeRecord(
        request_id="r", started=0, method="GET", target="/x?key=***", status=404
    )
    assert 'method=GET target="/x?key=***"' in as_logfmt(outcome.facts()).decode()


def test_it_says_who_and_why() -> None:
    error = NotFound("model 'my secret' is not served here; available: a, b")
    outcome = ExchangeRecord(
        request_id="r", started=0, client="2001:db8::1", status=404, action="messages",
        code=error.code, reason=error.reason,
    )  # fmt: skip
    line = as_logfmt(outcome.facts()).decode()
    assert line.startswith("id=r client=2001:db8::1 action=messages status=404 ")
    assert 'code=not_found reason="model … is not served here" duration=0' in line


@table(
    ("message", "reason"),
    [
        ("no node is available", "no node is available"),
        (
            "the request's body is larger than the client's",
            "the request's body is larger than the client's",
        ),
        ("model 'it's; a 'prompt'' is not served; use b", "model … is not served"),
        ('input_value="what the person asked" is wrong', "input_value=… is wrong"),
        ("two\nlines", "two lines"),
        ("x" * 500, "x" * 159 + "…"),
        ("it was '" + "secret " * 500 + "' and bad", "it was …"),
        ("it was '" + "secret' " * 500, "it was …"),
    ],
)
def test_a_reason_quotes_nobody(message: str, reason: str) -> None:
    assert ProxyError(message).reason == reason


@given(st.text(max_size=30))
def test_no_value_breaks_the_line(text: str) -> None:
    facts = {"a": text, "b": 1}
    line = as_logfmt(facts)
    assert b"\n" not in line
    assert b"\r" not in line
    assert line.endswith(b" b=1")


_COUNTS = st.none() | st.integers(0, 10**9)


@given(
    st.builds(
        ExchangeRecord,
        request_id=st.sampled_from(["r1", "a=b", 'say "x"', ""]),
        started=st.just(10.0),
        surface=st.sampled_from(["openai", ""]),
        action=st.sampled_from(["chat/completions", ""]),
        deployment=st.sampled_from(["desk", "my desk"]),
        key=st.sampled_from(["alice", ""]),
        asked=st.sampled_from(["gpt", "gemma2:9b"]),
        model=st.sampled_from(["gemma2:9b", "é\n", ""]),
        node=st.sampled_from(["gpu0", ""]),
        attempts=st.integers(0, 2),
        tried=st.sampled_from([(), (("a", "lost"),)]),
        queued=st.sampled_from([0.0, 0.25]),
        status=st.sampled_from([200, 404]),
        terminal=st.sampled_from(list(Terminal)),
        code=st.sampled_from(["", "busy"]),
        reason=st.sampled_from(["", "no slot was free"]),
        client=st.sampled_from(["", "192.0.2.1", "2001:db8::1", "unix"]),
        first_byte=st.none() | st.floats(10, 1000),
        ended=st.floats(10, 1000),
        received=st.integers(0, 10),
        sent=st.integers(0, 10**9),
        events=st.integers(0, 3),
        usage=st.builds(Usage, _COUNTS, _COUNTS, _COUNTS, _COUNTS),
        dropped=st.sampled_from([(), ("topK",)]),
    )
)
def test_the_short_way_says_the_same(outcome: ExchangeRecord) -> None:
    assert usual_line(outcome) in (None, as_logfmt(outcome.facts()))


def test_the_short_way_is_taken() -> None:
    outcome = ExchangeRecord(
        request_id="r1", started=10.0, action="messages", terminal=Terminal.COMPLETED,
        first_byte=10.0, received=1, events=1, usage=Usage(1, 2),
    )  # fmt: skip
    assert usual_line(outcome) is not None


def test_the_sink_writes_to_stderr(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    access_log(LogFormatter("logfmt"))(ExchangeRecord(request_id="r", started=0, status=200))
    assert flush(PATIENCE_S)
    err = capfdbinary.readouterr().err
    assert err.endswith(b" info id=r status=200 end=failed duration=0 bytes_out=0\n")
    assert err.count(b"\n") == 1


def test_json_on_request(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    access_log(LogFormatter("json"))(
        ExchangeRecord(request_id="r", started=0, status=200, model="a\nb")
    )
    assert flush(PATIENCE_S)
    line = capfdbinary.readouterr().err
    assert line.count(b"\n") == 1
    facts = json.loads(line)
    assert facts["level"] == "info"
    assert facts["time"].endswith("Z")
    assert (facts["id"], facts["model"], facts["status"]) == ("r", "a\nb", 200)
