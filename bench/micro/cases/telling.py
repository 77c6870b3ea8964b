"""replying/record and telemetry/accesslog: the facts of a finished stream, and its log line,
written to a stderr that is memory."""

from __future__ import annotations

from typing import Any
from unittest import mock

from bench.micro.work import Case, Work
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.telemetry.accesslog import access_log
from casedesk_proxy.telemetry.log_output import LogFormatter
from casedesk_proxy.terms import Usage

_LINES = 20


def _make() -> ExchangeRecord:
    """A chat of the load."""
    return ExchangeRecord(
        "6f1c0e4a9b7d4c52", started=1000.0, method="POST", target="/v1/chat/completions",
        surface="openai", action="chat/completions", deployment="bench", key="bench",
        asked="bench", model="bench", node="node", attempts=1, status=200,
        terminal=Terminal.COMPLETED, overhead=0.0003, first_byte=1000.0123, ended=1060.5,
        received=93, sent=912_345, events=3000, usage=Usage(prompt=7, output=3000),
    )  # fmt: skip


def _check_facts(facts: dict[str, Any]) -> None:
    assert facts["end"] == "completed"
    assert facts["duration"] == 60.5
    assert facts["output_tokens"] == 3000


def _prepare_line() -> Work:
    tell = access_log(LogFormatter())
    outcomes = [_make() for _ in range(_LINES)]

    def run(_: None) -> bytes:
        written: list[bytes] = []
        with mock.patch("casedesk_proxy.telemetry.accesslog.write", written.append):
            for one in outcomes:
                tell(one)
        return b"".join(written)

    def check(text: bytes) -> None:
        lines = text.splitlines()
        assert len(lines) == _LINES
        for pair in (b" node=node ", b" end=completed ", b" duration=60.5 ", b" status=200 "):
            assert all(pair in line for line in lines)

    return Work(run, check, _LINES)


CASES = (
    Case("replying/record", "facts of an exchange",
         lambda: Work(ExchangeRecord.facts, _check_facts, make=_make)),
    Case("telemetry/accesslog", "log line of an exchange", _prepare_line),
)  # fmt: skip
