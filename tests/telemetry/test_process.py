"""The process's own metrics only read the process's own files in /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client import ProcessCollector as Theirs

from casedesk_proxy.telemetry.process import ProcessCollector


def samples(collector: object) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in collector.collect()  # type: ignore[attr-defined]
        for sample in family.samples
    }


def test_the_same_as_prometheus_own() -> None:
    own, theirs = samples(ProcessCollector()), samples(Theirs(registry=CollectorRegistry()))
    assert own.keys() == theirs.keys()
    for name, value in theirs.items():
        assert own[name] == pytest.approx(value, rel=0.2, abs=2), name
    assert own["process_open_fds"] == theirs["process_open_fds"] - 1, "theirs counts its own"
    assert 0 < own["process_start_time_seconds"] < time.time()


def test_a_proc_that_shows_processes_alone(tmp_path: Path) -> None:
    """With ProcSubset=pid there is no /proc/stat beside the process."""
    process = tmp_path / "self"
    process.mkdir()
    (process / "stat").write_text("1 (a) b) S " + " ".join(str(n) for n in range(4, 53)))
    (process / "fd").mkdir()
    (process / "fd" / "0").touch()
    told = samples(ProcessCollector(process))
    assert told["process_virtual_memory_bytes"] == 23
    assert told["process_resident_memory_bytes"] == 24 * os.sysconf("SC_PAGE_SIZE")
    assert {"process_cpu_seconds_total", "process_open_fds", "process_max_fds"} <= told.keys()


def test_nothing_of_proc(tmp_path: Path) -> None:
    assert samples(ProcessCollector(tmp_path)).keys() == {
        "process_cpu_seconds_total", "process_max_fds",
    }  # fmt: skip
