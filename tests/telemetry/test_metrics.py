"""What is counted of an exchange, with labels whose number no client can increase."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.telemetry.metrics import Metrics, join_in_turns
from casedesk_proxy.terms import Usage
from tests.fixtures.loop_turns import most_per_turn


def outcome(**facts: object) -> ExchangeRecord:
    given: dict[str, object] = {
        "request_id": "r", "started": 10.0, "surface": "openai", "deployment": "desk",
        "node": "gpu0", "attempts": 1, "status": 200, "terminal": Terminal.COMPLETED,
        "first_byte": 10.25, "ended": 12.25, "received": 100, "sent": 2000, "events": 41,
        "usage": Usage(3, 40, 1, 2), "overhead": 0.0002,
    }  # fmt: skip
    return ExchangeRecord(**{**given, **facts})  # type: ignore[arg-type]


def sample(metrics: Metrics, line: str) -> float:
    """The value of a series, whatever the order of its labels."""
    name, _, rest = line.partition("{")
    labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    (value,) = [
        one.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for one in family.samples
        if (one.name, one.labels) == (name, labels)
    ]
    return value


def test_an_exchange() -> None:
    metrics = Metrics()
    metrics.count(outcome())
    metrics.count(outcome(attempts=3))
    whose = 'deployment="desk",surface="openai"'
    for line, wanted in {
        f'casedesk_exchanges_total{{{whose},status="200",end="completed"}}': 2,
        'casedesk_bytes_total{deployment="desk",direction="in"}': 200,
        'casedesk_bytes_total{deployment="desk",direction="out"}': 4000,
        'casedesk_events_total{deployment="desk",node="gpu0"}': 82,
        'casedesk_failovers_total{deployment="desk"}': 2,
        'casedesk_tokens_total{deployment="desk",node="gpu0",kind="prompt"}': 6,
        'casedesk_tokens_total{deployment="desk",node="gpu0",kind="output"}': 80,
        'casedesk_tokens_total{deployment="desk",node="gpu0",kind="cached"}': 2,
        'casedesk_tokens_total{deployment="desk",node="gpu0",kind="thoughts"}': 4,
        f"casedesk_first_byte_seconds_sum{{{whose}}}": 0.5,
        f"casedesk_duration_seconds_sum{{{whose}}}": 4.5,
        f"casedesk_event_gap_seconds_sum{{{whose}}}": 0.1,
        f"casedesk_overhead_seconds_count{{{whose}}}": 2,
    }.items():
        assert sample(metrics, line) == pytest.approx(wanted), line
    assert (metrics.events, metrics.sent) == (82, 4000)
    assert metrics.cached_ratios() == {("desk", "gpu0"): pytest.approx(1 / 3)}


def test_what_was_not_reached_is_not_told() -> None:
    metrics = Metrics()
    metrics.count(outcome(node="", first_byte=None, overhead=None, events=0, usage=Usage()))
    text = metrics.render().decode()
    for name in ("first_byte", "event_gap", "overhead", "cancel"):
        assert f"casedesk_{name}_seconds_count" not in text
    assert "casedesk_tokens_total{" not in text
    assert "casedesk_failovers_total{" not in text


def test_a_client_that_left() -> None:
    metrics = Metrics()
    metrics.count(outcome(cancel=0.0003, terminal=Terminal.CLIENT_GONE))
    assert sample(metrics, 'casedesk_cancel_seconds_bucket{le="0.0005"}') == 1
    assert sample(metrics, 'casedesk_cancel_seconds_bucket{le="0.00025"}') == 0


def test_no_label_comes_from_a_client() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.count(
            outcome(request_id=str(number), key=f"t{number}", asked=f"m{number}",
                    model=f"n{number}", target=f"/{number}", method=f"M{number}",
                    code=f"c{number}")
        )  # fmt: skip
    assert len(re.findall(r"^casedesk_exchanges_total\{", metrics.render().decode(), re.M)) == 1


def test_reloads_and_lag() -> None:
    metrics = Metrics()
    assert sample(metrics, 'casedesk_config_reloads_total{result="refused"}') == 0
    metrics.count_reload(ok=False)
    metrics.observe_lag(0.02)
    assert sample(metrics, 'casedesk_config_reloads_total{result="refused"}') == 1
    assert sample(metrics, 'casedesk_config_reloads_total{result="taken"}') == 0
    assert sample(metrics, 'casedesk_loop_lag_seconds_bucket{le="0.025"}') == 1
    assert sample(metrics, "process_open_fds") > 0


async def test_metrics_are_written_in_many_turns() -> None:
    written = 0

    def pieces() -> Iterator[str]:
        nonlocal written
        for _ in range(20):
            until = time.perf_counter() + 0.002
            while time.perf_counter() < until:
                pass
            written += 1
            yield "x"

    task = asyncio.ensure_future(join_in_turns(pieces()))
    assert await most_per_turn(lambda: written, task.done) == 1
    assert task.result() == b"x" * 20
