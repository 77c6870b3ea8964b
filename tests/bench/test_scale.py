"""The script that measures growth, with few connections, and its comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import scale


def test_cases_do_what_they_measure() -> None:
    """The test passes if no case raises an exception."""
    snapshot, reported = scale.configure(2, 1000, 3), scale.report(2, 20)
    for case in scale.CASES.values():
        case(snapshot, reported)


def test_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scale, "SIZES", ((1, 10, 0, 0),))
    monkeypatch.setattr(scale, "cost", lambda do: 5.0)
    kept = tmp_path / "figures.json"
    assert CliRunner().invoke(scale.main, ["--json", str(kept)]).exit_code == 0
    size = "1 × 10, 0 patterns, 0 aliases"
    assert json.loads(kept.read_text())[size]["the whole catalogue"] == 5.0
    shown = CliRunner().invoke(scale.main, ["--before", str(kept)]).output
    assert shown.count("5 µs (1.0 × less)") == len(scale.CASES)
