"""replying/record and telemetry/accesslog: the facts of a finished stream, and its log line,
written to a stderr that is memory."""

from __future__ import annotations

from typing import Any
from unittest import mock

from bench.micro.work import Case, Work
from casedesk_proxy.replying.record import Outcome, Phase, Terminal
from casedesk_proxy.telemetry.accesslog import access_log
from casedesk_proxy.telemetry.log_output import LogFormatter
from casedesk_proxy.terms import Usage

_LINES = 20


def _make() -> Outcome:
    """A chat as the load has it."""
    outcome = Outcome("6f1c0e4a9b7d4c52", started=1000.0, method="POST")
    outcome.target = "/v1/chat/completions"
    outcome.surface, outcome.action = "openai", "chat/completions"
    outcome.deployment, outcome.token = "bench", "bench"
    outcome.asked = outcome.model = "bench"
    outcome.node, outcome.attempts, outcome.status = "node", 1, 200
    outcome.phase, outcome.terminal = Phase.STREAMING, Terminal.COMPLETED
    outcome.overhead, outcome.first_byte, outcome.ended = 0.0003, 1000.0123, 1060.5
    outcome.received, outcome.sent, outcome.events = 93, 912_345, 3000
    outcome.usage = Usage(prompt=7, output=3000)
    return outcome


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
         lambda: Work(Outcome.facts, _check_facts, make=_make)),
    Case("telemetry/accesslog", "log line of an exchange", _prepare_line),
)  # fmt: skip
