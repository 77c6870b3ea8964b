"""`casedesk-proxy-upgrade` if systemctl fails: it reports that, exits with 1 and stops nothing. The
machine of test_units makes a real upgrade."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.systemd.machine import ROOT

#: Plays systemctl with one running instance; the call that $FAILS begins with fails.
FAKE = """\
#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in
"$FAILS"*) echo "no bus" >&2; exit 1 ;;
list-units*) echo "casedesk-proxy@a.service loaded active running" ;;
show*@a.service) echo active ;;
list-jobs*) echo "$JOBS" ;;
show*) echo inactive ;;
esac
"""
STOP = "stop --no-block casedesk-proxy@a.service"


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    fake = tmp_path / "systemctl"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    return tmp_path / "calls"


def upgrade(
    calls: Path, *arguments: str, fails: str = "nothing", jobs: str = ""
) -> tuple[int, str]:
    path = f"{calls.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / "systemd/casedesk-proxy-upgrade", *arguments],
        env={"PATH": path, "CALLS": str(calls), "FAILS": fails, "JOBS": jobs},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_new_one_starts_before_the_old_one_stops(calls: Path) -> None:
    code, shown = upgrade(calls)
    assert (code, shown.splitlines()[-1]) == (
        0,
        "casedesk-proxy-upgrade: casedesk-proxy@b.service serves; casedesk-proxy@a.service drains",
    )
    made = calls.read_text().splitlines()
    assert made.index("start casedesk-proxy@b.service") < made.index(STOP)


@pytest.mark.parametrize("fails", ["list-units", "show", "start", "--quiet enable"])
def test_a_systemctl_that_fails_stops_nothing(calls: Path, fails: str) -> None:
    code, shown = upgrade(calls, fails=fails)
    assert code == 1
    assert shown.splitlines()[-1].startswith("casedesk-proxy-upgrade: "), shown
    assert STOP not in calls.read_text().splitlines()


@pytest.mark.parametrize("arguments", [(), ("--wait",)])
def test_an_instance_that_cannot_be_stopped(calls: Path, arguments: tuple[str, ...]) -> None:
    code, shown = upgrade(calls, *arguments, fails="stop")
    assert code == 1
    assert "could not stop casedesk-proxy@a.service" in shown


def test_an_unknown_option_upgrades_nothing(calls: Path) -> None:
    code, shown = upgrade(calls, "--help")
    assert (code, shown) == (2, "usage: casedesk-proxy-upgrade [--wait]\n")
    assert not calls.exists()


A, BRIDGE = "casedesk-proxy@a.service", "casedesk-proxy@restart-1.service"
RESTART = f"  12 {A} restart running"


def test_a_bridge_serves_while_an_instance_is_restarted(calls: Path) -> None:
    code, shown = upgrade(calls, "--stopping", A, jobs=RESTART)
    assert (code, shown) == (
        0,
        f"casedesk-proxy-upgrade: {BRIDGE} serves while {A} is restarted\n",
    )
    assert f"start {BRIDGE}" in calls.read_text().splitlines()


@pytest.mark.parametrize("jobs", ["", f"  12 {A} stop running", "  12 x@a.service restart running"])
def test_a_stop_needs_no_bridge(calls: Path, jobs: str) -> None:
    assert upgrade(calls, "--stopping", A, jobs=jobs) == (0, "")
    assert "start" not in calls.read_text()


def test_a_bridge_that_fails_is_put_away(calls: Path) -> None:
    code, shown = upgrade(calls, "--stopping", A, jobs=RESTART, fails="start")
    assert code == 0, "the stop goes on"
    assert f"{BRIDGE} did not start" in shown
    assert f"stop --no-block {BRIDGE}" in calls.read_text().splitlines()


@pytest.mark.parametrize(("jobs", "ended"), [("", True), (RESTART, False)])
def test_bridges_end_when_nothing_is_restarted(calls: Path, jobs: str, ended: bool) -> None:
    assert upgrade(calls, "--settled", A, jobs=jobs)[0] == 0
    assert ("casedesk-proxy@restart-*.service" in calls.read_text()) is ended


@pytest.mark.parametrize("when", ["--stopping", "--settled"])
def test_a_bridge_has_no_bridge(calls: Path, when: str) -> None:
    assert upgrade(calls, when, BRIDGE, jobs=f"  12 {BRIDGE} restart running") == (0, "")
    assert not calls.exists()
