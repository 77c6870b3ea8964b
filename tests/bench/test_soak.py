"""soak.py from the command line, and that it finds the faults it searches for."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.flatness import Trend
from bench.soak_report import Bounds, Result, find_faults, find_trends
from bench.soak_run import Rest, Sample, _lag, most_streams, read_metrics
from casedesk_proxy.telemetry.metrics import Metrics
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.table import table

SCRIPT = Path(__file__).parent.parent.parent / "bench" / "soak.py"
CORES = sorted(os.sched_getaffinity(0))
HERE = ("--load-core", str(CORES[0]), "--target-core", str(CORES[-1]))
LITTLE = ("-n", "20", "-t", "5s", "--life", "0.3,0.9", "--interval", "0.25s", "--rate", "20", *HERE)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_a_little_soak_is_judged_and_told_in_every_form(tmp_path: Path) -> None:
    # A process this young may still grow: what is tested is that it is judged.
    done = run(*LITTLE, "--memory-bound", "100", "--output", str(tmp_path / "out" / "soak"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing lost, nothing left over." in done.stdout
    assert "bytes an exchange" in done.stdout
    told = json.loads((tmp_path / "out" / "soak.json").read_text())
    assert told["faults"] == []
    assert told["trends"]["private_kb"]["level"] > 0
    assert told["trends"]["descriptors"]["level"] > 40, "two for each of twenty streams"
    last = told["samples"][-1]
    assert last["exchanges"] > 20, "streams ended and were opened anew"
    assert last["events_per_second"] > 0
    assert last["added_p99_ms"] > 0
    assert any(one["lag_ms"] is not None for one in told["samples"])
    assert told["rest"]["streams"] == told["rest"]["connections"] == 0
    with (tmp_path / "out" / "soak.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(told["samples"])
    assert "<svg" in (tmp_path / "out" / "soak.svg").read_text()
    assert (tmp_path / "out" / "soak.md").read_text() == done.stdout


def test_lost_events_are_a_fault(tmp_path: Path) -> None:
    words = ("--fault", "lose", "3", "--output", str(tmp_path / "soak"))
    done = run("-n", "5", "-t", "2s", "--life", "0.3,0.9", "--rate", "20", *HERE, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "events lost**" in done.stdout


def test_what_cannot_be_measured_is_told_in_a_line(tmp_path: Path) -> None:
    output = ("--output", str(tmp_path / "soak"))
    done = run("-n", str(most_streams() + 1), *HERE, *output)
    assert done.returncode == 2
    assert done.stderr.startswith("error: at most")
    done = run(*LITTLE, *output, "--proxy-command", "sh -c 'echo no licence >&2; exit 3'")
    assert done.returncode == 2
    assert "no licence" in done.stderr
    assert run("-t", "soon").returncode == 2
    assert run("--life", "9,3").returncode == 2


def sample(seconds: float = 1.0, **changes: Any) -> Sample:
    facts: dict[str, Any] = dict.fromkeys(Sample.__dataclass_fields__, 0)
    facts |= {"private_kb": 50_000, "descriptors": 400, "events_per_second": 10.0}
    return Sample(**{**facts, "seconds": seconds, **changes})


LISTENING = "tcp 127.0.0.1:8080 listening"
#: A node's connection, which may be there at first and must not be there at last.
KEPT = "tcp 127.0.0.1:40000 to 127.0.0.1:8000"
IDLE = Rest(private_kb=40_000, open=(LISTENING, "a pipe", KEPT), streams=0, connections=0)
REST = replace(IDLE, open=("a pipe", LISTENING))
FINE = Result("v", [sample()], IDLE, REST, "")
BOUNDS = Bounds(memory=0.03, descriptors=0.01)
UNKNOWN: dict[str, Trend | None] = {"private_kb": None, "descriptors": None}


def test_nothing_is_wrong_with_a_fine_run() -> None:
    assert find_faults(FINE, UNKNOWN, BOUNDS) == []


@table("name", ["lost", "duplicated", "disordered", "errors"])
def test_each_broken_event_or_stream_is_a_fault(name: str) -> None:
    result = replace(FINE, samples=[sample(), sample(**{name: 1})])
    assert len(find_faults(result, UNKNOWN, BOUNDS)) == 1


@table(
    "changed",
    [
        {"failure": "the proxy ended in the middle"},
        {"samples": []},
        {"samples": [sample(events_per_second=0.0)]},
        {"rest": replace(REST, streams=1)},
        {"rest": replace(REST, connections=1)},
        {"rest": replace(REST, open=(*REST.open, "a pipe"))},
        {"rest": replace(REST, open=(*REST.open, KEPT))},
    ],
)
def test_other_faults(changed: dict[str, Any]) -> None:
    assert len(find_faults(replace(FINE, **changed), UNKNOWN, BOUNDS)) == 1


def test_what_is_left_over_is_named() -> None:
    (fault,) = find_faults(replace(FINE, rest=IDLE), UNKNOWN, BOUNDS)
    assert fault == f"1 descriptors left over without clients: {KEPT}"


def test_growth_is_a_fault_beyond_its_bound() -> None:
    for name in ("private_kb", "descriptors"):
        grown = Trend(slope=1.0, low=0.5, high=1.5, level=1000.0, seconds=50.0)
        assert len(find_faults(FINE, {**UNKNOWN, name: grown}, BOUNDS)) == 1
        unsure = replace(grown, low=-0.1)
        assert find_faults(FINE, {**UNKNOWN, name: unsure}, BOUNDS) == []
        assert find_faults(FINE, {**UNKNOWN, name: grown}, Bounds(0.06, 0.06)) == []


def test_what_is_judged_begins_after_the_warm_up_and_lasts_three_lives() -> None:
    rising = [
        sample(float(second), private_kb=50_000 + 1000 * min(second, 10)) for second in range(40)
    ]
    trends = find_trends(rising, 10.0, (1.0, 9.0))
    assert trends["private_kb"] is not None
    assert trends["private_kb"].slope == 0
    judged_early = find_trends(rising, 0.0, (1.0, 9.0))["private_kb"]
    assert judged_early is not None
    assert judged_early.slope >= 0
    assert find_trends(rising, 10.0, (1.0, 10.0))["private_kb"] is None
    assert find_trends([], 10.0, (1.0, 1.0))["private_kb"] is None


def test_the_lag_is_read_from_the_proxys_own_metrics() -> None:
    metrics = Metrics()
    before = read_metrics(metrics.render().decode())
    assert _lag(before, before) == (None, None)
    for seconds in (0.0, 0.002, 0.004):
        metrics.observe_lag(seconds)
    after = read_metrics(metrics.render().decode())
    mean, worst = _lag(before, after)
    assert mean == pytest.approx(2.0)
    assert worst == pytest.approx(5.0), "the bucket's upper edge"
    metrics.observe_lag(60.0)
    assert _lag(after, read_metrics(metrics.render().decode())) == (pytest.approx(60_000), 5000)
