"""load.py and relay_cost.py from the command line: exit codes, JSON, table."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.accounts import cpu_ns, family, private_kb
from bench.engine.process import EngineFailed, child, free_port, wait_for_port

#: Several processes that share two cores, and pictures.
MOST_S = 240
pytestmark = pytest.mark.timeout(MOST_S)

BENCH = Path(__file__).parent.parent.parent / "bench"


def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / script), *words],
        capture_output=True,
        text=True,
        timeout=MOST_S - 5,
    )


def test_load_tells_rates_and_times(start_node: Any, tmp_path: Path) -> None:
    port, file = start_node("--rate", "50", "--events", "20"), tmp_path / "out.json"
    done = run(
        "load.py", f"http://127.0.0.1:{port}", *("-n", "5", "-t", "1", "--once"),
        *("--key", "not-for-others", "--json", str(file)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    assert (told["finished"], told["errors"], told["faults"]) == (5, {}, {})
    assert told["marked"] == 100
    assert set(told["milliseconds"]["added"]) == {"p50", "p99", "p99.9"}
    assert "time to first byte" in done.stdout
    assert "no event lost" in done.stdout
    assert "not-for-others" not in done.stdout + done.stderr + file.read_text()


def test_load_exits_1_when_events_were_lost(start_node: Any) -> None:
    port = start_node("--rate", "200", "--events", "20", "--fault", "lose")
    done = run("load.py", f"http://127.0.0.1:{port}", *("-n", "2", "-t", "1", "--once"))
    assert done.returncode == 1
    assert "4 × lost" in done.stdout


def test_load_refuses_https_in_one_line() -> None:
    done = run("load.py", "https://127.0.0.1/v1/messages")
    assert done.returncode == 2
    assert "https is not supported" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_relay_cost_compares_the_proxy_with_the_floor(tmp_path: Path) -> None:
    file = tmp_path / "out" / "relay_cost.json"
    cores = os.sched_getaffinity(0)
    done = run(
        "relay_cost.py", *("--without", "nginx", "--streams", "10", "--rate", "20"),
        *("--rounds", "2", "--seconds", "0.5", "--json", str(file)),
        *("--load-core", str(min(cores)), "--target-core", str(max(cores))),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    assert set(told["relays"]) == {"proxy", "floor"}
    assert len(told["rounds"]) == 2
    for relay in told["relays"].values():
        assert relay["us_per_event"] > 0
        assert relay["events"] > 0
        assert not {"lost", "duplicated", "reordered", "crossed"} & relay["faults"].keys()
    assert told["relays"]["floor"]["ratios"]["floor"] == 1
    assert "| **proxy** |" in done.stdout


@pytest.mark.parametrize(
    ("script", "words", "title"),
    [
        ("unary.py", ("--rounds", "2", "--seconds", "0.3"), "requests/s"),
        ("arrivals.py", ("--rounds", "2", "--seconds", "0.5"), "first byte ms p99.9"),
        ("memory.py", ("--streams", "10,30"), "KB/stream at 30"),
    ],
)
def test_each_measurement_tells_of_proxy_and_floor(
    tmp_path: Path, script: str, words: tuple[str, ...], title: str
) -> None:
    file, cores = tmp_path / "out.json", os.sched_getaffinity(0)
    done = run(
        script, *words, *("--without", "nginx", "--json", str(file)),
        *("--load-core", str(min(cores)), "--target-core", str(max(cores))),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(file.read_text())
    assert title in done.stdout
    assert "| **proxy** |" in done.stdout
    assert "| floor " in done.stdout
    assert told["skipped"] == {}
    for turns in told.get("rounds", []):
        assert {name: turn["errors"] for name, turn in turns.items()} == {"proxy": 0, "floor": 0}
        assert all(turn["count"] > 0 and turn["cpu_ns"] > 0 for turn in turns.values())
    for relay in told["relays"].values() if script == "memory.py" else ():
        assert set(relay["open_kb"]) == {"10", "30"}


def test_sweep_goes_through_an_axis(tmp_path: Path) -> None:
    file, cores = tmp_path / "out.json", os.sched_getaffinity(0)
    done = run(
        "sweep.py", *("--axis", "size", "--at", "50", "--at", "16000"),
        *("--rounds", "1", "--seconds", "0.3"),
        *("--without", "nginx", "--json", str(file)),
        *("--load-core", str(min(cores)), "--target-core", str(max(cores))),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    points = json.loads(file.read_text())["points"]
    assert [point["at"] for point in points] == [50, 16000]
    assert all(set(point["us_per_event"]) == {"proxy", "floor"} for point in points)
    assert "16000 event B: no peer here does better than the proxy" in done.stdout
    assert re.search(r"own cost: node \d+\.\d, clients \d+\.\d µs CPU per event", done.stdout)


def test_plot_draws_whatever_the_repository_has_results_of(tmp_path: Path) -> None:
    results = BENCH / "results"
    names = {"relay_cost", "unary", "memory", "arrivals", "sweep"}
    found = [file for file in results.glob("*.json") if file.stem in names]
    assert len(found) >= 4
    for file in found:
        shutil.copy(file, tmp_path)
    done = run("plot.py", str(tmp_path))
    assert done.returncode == 0, done.stderr
    drawn = {file.stem for file in found} | {"latency"}
    for name in drawn:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_an_unknown_relay_is_named() -> None:
    core = str(min(os.sched_getaffinity(0)))
    done = run("unary.py", "--load-core", core, "--target-core", core, "--with", "apache")
    assert done.returncode == 2
    assert "no such relay: apache" in done.stderr


def test_relay_cost_says_why_a_relay_did_not_start() -> None:
    core = str(min(os.sched_getaffinity(0)))
    done = run(
        "relay_cost.py", *("--without", "nginx", "--without", "floor"),
        *("--load-core", core, "--target-core", core),
        *("--proxy-command", "sh -c 'echo no licence >&2; exit 3'"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "no licence" in done.stderr
    assert "ended: code 3" in done.stderr


def test_the_other_relay_is_the_proxy_of_another_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "casedesk_proxy").mkdir()
    (tmp_path / "casedesk_proxy/__main__.py").write_text("raise SystemExit('from elsewhere')")
    core = str(min(os.sched_getaffinity(0)))
    words = (
        "unary.py", *("--with", "other", "--without", "proxy,nginx,floor"),
        *("--load-core", core, "--target-core", core),
    )  # fmt: skip
    # Where Python would find this checkout first.
    monkeypatch.chdir(BENCH.parent)
    unnamed = run(*words)
    assert (unnamed.returncode, "BENCH_OTHER_TREE" in unnamed.stdout + unnamed.stderr) == (2, True)
    monkeypatch.setenv("BENCH_OTHER_TREE", str(tmp_path))
    assert "from elsewhere" in run(*words).stderr


def test_accounts_hold_descendants(engines: Any) -> None:
    script = "sh -c 'read line; while :; do :; done' <&0 & echo; wait"
    with child(engines.tether, ["sh", "-c", script], piped=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        members = family(process.pid)
        assert members[0] == process.pid
        assert len(members) == 2
        assert private_kb(process.pid) > 0
        idle = cpu_ns(process.pid)
        process.stdin.write("go\n")
        process.stdin.flush()
        while cpu_ns(process.pid) < idle + 10_000_000:
            pass
        os.kill(members[1], 15)


def test_waiting_for_a_port_ends_when_its_process_does(engines: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        child(engines.tether, ["sh", "-c", "echo trouble; exit 1"], log=log) as process,
        pytest.raises(EngineFailed, match=r"(?s)ended: code 1.*trouble"),
    ):
        wait_for_port(process, free_port(), log)


def test_children_end_with_a_bench_that_is_killed(engines: Any) -> None:
    """Processes of other programs, which would continue, are killed too: here a sleep instead of
    the relay."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from bench.engine.process import child\n"
        "with child(Path(sys.argv[2]), ['sleep', '60']) as process:\n"
        "    print(process.pid, flush=True)\n"
        "    process.wait()\n"
    )
    words = [sys.executable, "-c", script, str(BENCH.parent), str(engines.tether)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        relay = int(bench.stdout.readline())
        # Its last breath is readable here even though it is not our child.
        handle = os.pidfd_open(relay)
        bench.kill()
    with select.epoll() as poll:
        poll.register(handle, select.EPOLLIN)
        assert poll.poll(10), "it still runs"
    os.close(handle)
