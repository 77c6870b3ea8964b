"""abuse.py: a small run from the command line, and when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.abuse import choose
from bench.abuse_probe import Pulse
from bench.abuse_report import Bounds, find_gaps, find_misses
from bench.abuse_run import Outcome, Sample
from bench.abuses import ABUSES
from casedesk_proxy.daemon.notify import Notifier
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.table import table

SCRIPT = Path(__file__).parent.parent.parent / "bench" / "abuse.py"
CORES = sorted(os.sched_getaffinity(0))
LITTLE = (
    *("-n", "4", "--seconds", "1", "--patience", "5", "--share", "0.01", "--nice", "0"),
    *("--load-core", str(CORES[0]), "--target-core", str(CORES[-1])),
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_a_little_abuse_is_measured_and_told_in_every_form(tmp_path: Path) -> None:
    """The length of the gaps depends on the machine, so neither it nor the verdict on it is
    checked."""
    output = tmp_path / "out" / "abuse"
    done = run(*LITTLE, "--only", "pipeline", "--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(output.with_suffix(".json").read_text())
    assert [one["name"] for one in told["abuses"]] == ["pipeline"]
    pipeline = told["abuses"][0]
    assert pipeline["failure"] == ""
    assert pipeline["said"]["status 401"] >= 1, "the abuser was heard"
    assert pipeline["requests"]["200"] > 5, "innocent requests were answered meanwhile"
    assert pipeline["idle_mb"] > 10
    assert 0 < pipeline["pulse_s"] < 20
    before = [one for one in pipeline["samples"] if one["at"] < 0]
    after = [one for one in pipeline["samples"] if one["at"] > pipeline["ended"]]
    assert before
    assert after
    for kind in ("verbatim_ms", "translated_ms", "control_ms"):
        assert max(one[kind] for one in before) >= 15, "the pace of 50 events a second"
    assert output.with_suffix(".md").read_text() == done.stdout
    assert "| pipeline: 100 000 pipelined GETs" in done.stdout
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_measured_is_told_in_a_line() -> None:
    done = run(*LITTLE, "--proxy-command", "sh -c 'echo no licence >&2; exit 3'")
    assert done.returncode == 2
    assert "no licence" in done.stderr
    done = run("--only", "pipelin")
    assert done.returncode == 2
    assert "no such abuse: pipelin" in done.stderr


def test_abuses_are_taken_in_order_or_by_chance() -> None:
    assert choose((), None) == [*ABUSES]
    assert choose(("reloads,parts", "errors"), None) == ["errors", "parts", "reloads"]
    drawn = choose((), 7)
    assert drawn != [*ABUSES]
    assert sorted(drawn) == sorted(ABUSES)
    assert choose((), 7) == drawn


def sample(at: float, pause: float = 20.0, control: float = 20.0, waited: float = 0.0) -> Sample:
    return Sample(at, pause, 20.0, control, waited, 50.0)


def test_a_pause_is_the_proxys_own_but_for_what_the_machine_did() -> None:
    calm = [sample(-0.1, pause=900.0), sample(0.1), sample(0.2)]
    assert find_gaps(calm).own == pytest.approx(20.0), "what was before does not count"
    assert find_gaps([*calm, sample(0.3, pause=300.0)]).own == pytest.approx(300.0)
    of_all = find_gaps([*calm, sample(0.3, pause=300.0, control=290.0)])
    assert (of_all.verbatim, of_all.control) == (300.0, 290.0)
    assert of_all.own == pytest.approx(30.0), "the stream past the proxy paused, too"
    waiting = [*calm, sample(0.3, waited=80.0), sample(0.4, pause=250.0, waited=90.0)]
    assert find_gaps(waiting).own == pytest.approx(80.0), "others had the proxy's core"
    long_ago = [sample(0.1, waited=500.0), *(sample(n / 10) for n in range(2, 9))]
    assert find_gaps([*long_ago, sample(0.9, pause=250.0)]).own == pytest.approx(250.0)
    assert find_gaps([]).own == 0


FINE = Outcome("pipeline", [sample(0.1)], requests={"200": 50}, peak_mb=3.0, calm_s=0.0)


def test_nothing_is_wrong_with_a_fine_run() -> None:
    assert find_misses(FINE, Bounds()) == []


@table(
    ("changed", "said"),
    [
        ({"samples": [sample(0.1, pause=130.0)]}, "gap 130 ms"),
        ({"peak_mb": 65.0}, "memory +65 MB, bound 64"),
        ({"pulse_s": 26.0}, "watchdog missed"),
        ({"errors": {"status 408": 2, "reset": 1}}, "streams: 1 × reset, 2 × status 408"),
        ({"requests": {"200": 40, "503": 3}}, "requests: 3 × 503"),
        ({"late_slowest_ms": 1500.0}, "a request took 1.5 s"),
        ({"calm_s": None}, "not back to normal"),
        ({"failure": "the proxy ended: code -9", "calm_s": None}, "the proxy ended: code -9"),
    ],
)
def test_each_miss_is_named(changed: dict[str, Any], said: str) -> None:
    assert find_misses(replace(FINE, **changed), Bounds()) == [said]


def test_nothing_is_expected_of_new_requests_where_no_descriptor_is_left() -> None:
    starved = replace(FINE, name="descriptors", requests={"no reply": 9}, late_slowest_ms=9000.0)
    assert find_misses(replace(starved, errors={"status 502": 1}), Bounds()) == []
    assert find_misses(replace(starved, errors={"truncated": 1}), Bounds()) != []


def test_signs_of_life_are_heard(tmp_path: Path) -> None:
    with Pulse(tmp_path / "notify") as pulse:
        notifier = Notifier(pulse.environment["NOTIFY_SOCKET"])
        notifier.send("WATCHDOG=1", "STATUS=well")
        pulse.restart()
        assert pulse.longest() < 30
        notifier.close()
    assert float(pulse.environment["WATCHDOG_USEC"]) == 1.5e6
