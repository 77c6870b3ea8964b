"""The instructions of an event and of a short request are counted and do not exceed the stored
ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench import instructions


def test_no_more_is_executed_than_was_stored() -> None:
    command = [sys.executable, "-m", "bench.instructions", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=instructions.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(case in done.stdout for case in instructions.CASES)


def test_more_than_was_stored_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    stored.write_text("{}")
    counted = {"relay/relay": 100.0}
    monkeypatch.setattr(instructions, "count", lambda tree, machine: dict(counted))

    def run(*words: str) -> Result:
        return CliRunner().invoke(instructions.main, [*words, "--stored", str(stored)])

    unknown = run("--check")
    assert (unknown.exit_code, "nothing is stored" in unknown.output) == (0, True)
    assert run("--store").exit_code == 0
    assert list(json.loads(stored.read_text()).values()) == [counted]
    counted["relay/relay"] = 105.0
    assert run("--check").exit_code == 0
    counted["relay/relay"] = 105.1
    dearer = run("--check")
    assert (dearer.exit_code, "over 5 % more" in dearer.output) == (1, True)
