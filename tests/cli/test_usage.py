"""The ledger's use as a table and as JSON."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from casedesk_proxy.store.file import FILE_NAME, open_writer
from tests.cli.command import invoke, run
from tests.ledger.book import at, enter


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A directory whose state file is open, as if a proxy were running."""
    connection = open_writer(tmp_path / FILE_NAME)
    enter(
        connection, at("2026-01-01 10:00"), key="alice", model="m", prompt=1200, output=30,
        cached=1000,
    )  # fmt: skip
    enter(connection, at("2026-01-02 10:00"), key="bob", model="m", prompt=10, output=300)
    enter(
        connection, time.time() - 60, key="bob", model="n", prompt=1, output=2,
        estimated=1, ending="client_gone",
    )  # fmt: skip
    connection.close()
    return tmp_path


def test_a_table_with_bars(state: Path) -> None:
    shown = invoke("usage", "--state", state)
    assert shown.returncode == 0, shown.stderr
    head, alice, bob, last = shown.stdout.splitlines()
    assert head.split() == ["key", "requests", "failed", "prompt", "cached", "output",
                            "█", "output", "░", "prompt"]  # fmt: skip
    assert alice.split()[:6] == ["alice", "1", "0", "1,200", "1,000", "30"]
    assert bob.split()[:6] == ["bob", "2", "1", "11", "0", "~302"]
    assert alice.count("█") + alice.count("░") == 24
    assert bob.count("█") == 6
    assert last == "~ includes estimates for 1 request"


def test_a_locale_without_the_characters_of_bars(state: Path) -> None:
    shown = run("usage", "--state", state, PYTHONIOENCODING="latin-1")
    assert shown.returncode == 0, shown.stderr
    head, alice, *_ = shown.stdout.splitlines()
    assert head.rstrip().endswith("# output - prompt")
    assert alice.rstrip().endswith("#" + 23 * "-")


def test_json_and_csv_hold_the_same(state: Path) -> None:
    as_json = json.loads(invoke("usage", "--state", state, "--format", "json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(
        invoke("usage", "--state", state / FILE_NAME, "--format", "csv").stdout
    )))  # fmt: skip
    assert [{k: str(v) for k, v in one.items()} for one in as_json] == as_csv
    assert as_json[1] == {
        "key": "bob", "requests": 2, "failed": 1, "estimated": 1, "prompt": 11, "cached": 0,
        "output": 302, "thoughts": 0,
    }  # fmt: skip


def test_choices(state: Path) -> None:
    def keys(*arguments: str) -> list[str]:
        shown = invoke("usage", "--state", state, "--format", "json", *arguments)
        return [one.get("key") or one["day"] for one in json.loads(shown.stdout)]

    assert keys("--since", "2026-01-02", "--until", "2026-02") == ["bob"]
    assert keys("--since", "1h") == ["bob"]
    assert keys("--until", "2026-01-02") == ["alice"]
    assert keys("--by", "day,model", "--until", "2026-02") == ["2026-01-01", "2026-01-02"]
    assert keys("--key", "alice") == ["alice"]


def test_nothing_to_show(state: Path) -> None:
    nothing = "nothing was used in that time"
    for form, wanted in (("table", f"{nothing} by a key named carol\n"), ("json", "[]\n")):
        shown = invoke("usage", "--state", state, "--key", "carol", "--format", form)
        assert (shown.returncode, shown.stdout) == (1, wanted)
    assert invoke("usage", "--state", state, "--since", "2999-01").stdout == f"{nothing}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "key,cost"), "'cost': choose from key, deployment"),
        (("--by", ","), "nothing: choose from"),
        (("--since", "yesterday"), "'yesterday': write 2026-11-29, 2026-11, or how long ago"),
        (("--since", "2026-13-01"), "'2026-13-01': write"),
    ],
)
def test_choices_that_there_are_not(state: Path, arguments: tuple[str, ...], words: str) -> None:
    shown = invoke("usage", "--state", state, *arguments)
    assert shown.returncode == 2
    assert words in " ".join(shown.stderr.split())


def test_where_it_looks(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"server: {{state_directory: {state}}}\nnodes: {{n: {{url: 'http://127.0.0.1:1'}}}}\n"
        "deployments: {d: {auth: none, nodes: [n]}}\n"
    )
    assert invoke("usage", "--config", file).returncode == 0
    assert run("usage", "--by", "model", STATE_DIRECTORY=str(state)).returncode == 0
    missing = invoke("usage", "--config", tmp_path / "other.yaml")
    assert missing.returncode == 2
    nothing = invoke("usage", STATE_DIRECTORY=str(tmp_path / "none"))
    assert nothing.returncode == 2
    assert f"{tmp_path}/none/{FILE_NAME}: does not exist" in nothing.stderr
