"""leaving.py: its report of clients that leave, and when it fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.leaving import LIMIT_MS, report
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.table import table

BENCH = Path(__file__).parent.parent.parent / "bench"
LEFT = {0: ("FIN", 10.0), 3: ("RST", 10.5), 6: ("FIN", 11.0)}
SOON = {number: at + 0.001 for number, (_, at) in LEFT.items()}


def test_every_node_is_freed() -> None:
    """The time that it takes depends on the machine, and the exit code on the time; neither is
    checked."""
    done = subprocess.run(
        [sys.executable, str(BENCH / "leaving.py"), "-n", "6", "-n", "3", "--leaving", "4"],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    told = re.findall(
        r"^ +(\d+ streams  \w+  \d+ of \d+ freed)  ms p50 ", done.stdout, re.MULTILINE
    )
    assert told == [
        "6 streams  FIN  2 of 2 freed",
        "6 streams  RST  2 of 2 freed",
        "3 streams  FIN  2 of 2 freed",
        "3 streams  RST  1 of 1 freed",
    ]
    # The proxy's own measurement of the same.
    cancels = re.findall(r"casedesk_cancel_seconds within \(99 %, all\): (.+);", done.stdout)
    assert len(cancels) == 2
    assert all(re.search(r"\d", one) for one in cancels)


def test_all_in_time_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(9, LEFT, SOON, "0.001, 0.001")
    told = capsys.readouterr().out
    assert "9 streams  FIN  2 of 2 freed  ms p50 1.00  p99 1.00  max 1.00" in told
    assert "9 streams  RST  1 of 1 freed  ms p50 1.00" in told


@table(
    "freed",
    [
        {**SOON, 6: 11.0 + LIMIT_MS / 1e3 + 0.001},
        {0: SOON[0], 3: SOON[3]},
        {0: SOON[0], 6: SOON[6]},
        {},
    ],
)
def test_one_that_is_freed_late_or_never_is_not(freed: dict[int, float]) -> None:
    assert not report(9, LEFT, freed, "")


def test_one_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(1, {0: ("FIN", 1.0)}, {0: 1.001}, "")
    assert "RST  0 of 0 freed" in capsys.readouterr().out
