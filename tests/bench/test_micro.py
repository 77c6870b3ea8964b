"""The micro benchmarks measure what they say, and their comparison reports only real differences.

No test here measures time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.micro.catalogue import MODULES, load
from bench.micro.pairs import (
    ALARMS,
    Comparison,
    Pairing,
    compare,
    interval,
    rounds_needed,
    same_cases,
)
from bench.micro.processes import ROOT, MicroFailed, Stuck, Worker, check_out, worker
from bench.micro.verdicts import compared
from bench.micro.work import Case, Work
from bench.micro.worker import prepare, run_batch
from casedesk_proxy.telemetry import log_output
from tests.fixtures.patience import PATIENCE_S

CASES = [case for module in MODULES for case in load(module)]
TINY = Pairing(rounds=2, pairs=2, batch=0.01, core=None)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.micro", *words],
        capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT,
    )  # fmt: skip


def attributes() -> dict[str, object]:
    """The classes and functions of the program's modules, and the attributes of the classes."""
    found: dict[str, object] = {}
    for module in [one for name, one in sys.modules.items() if name.startswith("casedesk_proxy")]:
        for name, value in vars(module).items():
            if callable(value):
                found[f"{module.__name__}.{name}"] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                for attribute, inner in vars(value).items():
                    if callable(inner):
                        found[f"{module.__name__}.{name}.{attribute}"] = inner
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_benchmark_does_its_work_and_leaves_the_program_as_it_was(case: Case) -> None:
    before = attributes()
    work = case.prepare()
    assert work.operations > 0
    assert run_batch(work, 2) >= 0
    after = attributes()
    changed = [name for name, value in before.items() if after.get(name) is not value]
    assert not changed
    assert log_output.flush(PATIENCE_S)


def test_no_module_of_cases_is_forgotten_and_no_name_is_given_twice() -> None:
    files = {path.stem for path in (ROOT / "bench" / "micro" / "cases").glob("*.py")}
    assert files - {"__init__"} == set(MODULES)
    assert len({case.name for case in CASES}) == len(CASES)


def test_work_that_was_not_done_is_no_result() -> None:
    def check(result: Any) -> None:
        assert result == 2

    with pytest.raises(AssertionError):
        run_batch(Work(lambda _: 1, check), 3)


def test_what_cannot_be_prepared_is_told_and_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Work:
        raise TypeError("no such argument")

    fine = Case("fine", "x", lambda: Work(lambda _: 1, lambda _: None))
    monkeypatch.setattr("bench.micro.worker.load", lambda module: (Case("gone", "x", fail), fine))
    found = dict(prepare("any"))
    assert found["gone"] == "TypeError: no such argument"
    assert not isinstance(found["fine"], str)
    monkeypatch.undo()
    assert "no_such" in str(dict(prepare("no_such"))["no_such"])


def test_the_command_tells_nanoseconds(tmp_path: Path) -> None:
    file = tmp_path / "out" / "micro.json"
    done = run("wire/sse", "usage/tap", "--batch", "0.01", "--pairs", "2", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "event, whole" in done.stdout
    assert "piece taken" in done.stdout
    assert "wire/chunked" not in done.stdout
    assert '"ns"' in file.read_text()


def test_the_command_lists_every_benchmark() -> None:
    done = run("--list")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(case.name in done.stdout for case in CASES)


def test_an_unknown_name_or_commit_is_an_error_of_one_line() -> None:
    for words in (("no/such",), ("--against", "no-such-commit")):
        done = run(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1


def copy_tree(folder: Path) -> Path:
    shutil.copytree(ROOT / "casedesk_proxy", folder / "casedesk_proxy")
    return folder


def test_two_trees_are_compared_and_what_one_lacks_is_told(tmp_path: Path) -> None:
    old = copy_tree(tmp_path)
    (old / "casedesk_proxy" / "usage" / "tap.py").write_text("")
    modules = ("sse", "tap")
    found, lacking, broken = compare(old, ROOT, modules, TINY, (), lambda what, done: None)
    assert [one.name for one in found] == ["wire/sse", "wire/sse split"]
    assert all(len(one.ratios) == 2 and len(one.old) == len(one.new) == 4 for one in found)
    assert "Tap" in lacking["tap"]
    assert broken == {}


def test_a_renamed_case_is_compared_with_itself(tmp_path: Path) -> None:
    old = copy_tree(tmp_path)
    cases = old / "bench" / "micro" / "cases"
    cases.mkdir(parents=True)
    source = (ROOT / "bench" / "micro" / "cases" / "sse.py").read_text()
    (cases / "sse.py").write_text(source.replace('"wire/sse"', '"wire/before"'))
    found, lacking, broken = compare(old, ROOT, ("sse",), TINY, (), lambda what, done: None)
    assert [one.name for one in found] == ["wire/sse", "wire/sse split"]
    assert lacking == broken == {}


def test_only_a_case_that_can_be_meant_is_found_under_another_name() -> None:
    old = {"a": "chunk", "b": "chunk", "c": "line"}
    assert same_cases(old, {"a": "chunk", "d": "line"}) == {"a": "a", "d": "c"}
    assert same_cases(old, {"d": "chunk"}) == {}


def test_a_batch_that_never_ends_says_so() -> None:
    ready = '{"operations": {"a": "x"}, "sizes": {"a": 1}, "absent": {}}'
    command = ["sh", "-c", f"echo '{ready}'; while read line; do :; done"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        silent = Worker(process, None, limit_s=0.05)
        with pytest.raises(Stuck, match="a: a batch was not done after 0") as caught:
            silent.measure("a", 1)
        assert caught.value.worker is silent
        process.kill()


@pytest.mark.parametrize("in_old", [True, False])
def test_a_case_that_never_ends_is_left_out_of_all_rounds(
    monkeypatch: pytest.MonkeyPatch, in_old: bool
) -> None:
    begun: list[int] = []

    class Played:
        operations, sizes, absent = {"a": "x", "b": "y"}, {"a": 1, "b": 1}, {}

        def __init__(self, old: bool) -> None:
            self.old = old

        def measure(self, name: str, passes: int) -> float:
            if name == "a" and len(begun) > 2 and self.old is in_old:
                raise Stuck(name, self, 7.0)  # type: ignore[arg-type]
            return 2e6

    @contextmanager
    def played(tree: Path, core: object, modules: object, number: int) -> Iterator[Played]:
        begun.append(number)
        yield Played(tree == Path("old"))

    monkeypatch.setattr("bench.micro.pairs.worker", played)
    pairing = Pairing(rounds=3, pairs=1, batch=1.0, core=None)
    found, lacking, broken = compare(Path("old"), Path("new"), (), pairing, (), lambda *_: None)
    assert [(one.name, one.ratios) for one in found] == [("b", [1.0] * 3)]
    assert begun == [0, 0, 1, 1, 1, 1, 2, 2], "the round begins anew"
    told = {"a": "a: a batch was not done after 7 s"}
    assert (lacking, broken) == ((told, {}) if in_old else ({}, told))


def test_a_benchmark_that_fails_here_is_broken(tmp_path: Path) -> None:
    new = copy_tree(tmp_path)
    module = new / "casedesk_proxy" / "wire" / "sse.py"
    module.write_text(module.read_text().replace("data[6:-2]", "data[6:-3]"))
    found, lacking, broken = compare(ROOT, new, ("sse",), TINY, (), lambda what, done: None)
    assert [one.name for one in found] == ["wire/sse split"]
    assert broken["wire/sse"].startswith("AssertionError")
    assert lacking == {}


def test_a_worker_measures_the_tree_that_it_is_given(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MicroFailed, match="instead of"), worker(empty, None, ("sse",)):
        pass


def test_what_is_checked_out_is_gone_afterwards(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example"]
        return subprocess.run(
            [*command, *words], check=True, capture_output=True, text=True
        ).stdout  # fmt: skip

    git("init", "--quiet")
    (tmp_path / "file").write_text("then")
    git("add", "file")
    git("commit", "--quiet", "--message", "x")
    (tmp_path / "file").write_text("now")
    with pytest.raises(ZeroDivisionError), check_out("HEAD", tmp_path) as tree:
        assert (tree / "file").read_text() == "then"
        raise ZeroDivisionError
    assert not tree.exists()
    assert len(git("worktree", "list").splitlines()) == 1
    missing = "no-such-commit"
    with pytest.raises(MicroFailed, match=missing), check_out(missing, tmp_path):
        pass


def test_the_interval_is_the_sign_tests() -> None:
    twelve = [1.0 + number / 100 for number in range(12)]
    assert interval(twelve, 0.0005) == (1.0, 1.11), "all twelve on one side: 2 / 4096"
    assert interval(twelve, 0.0004) is None
    assert interval(twelve, 0.0063) == (1.0, 1.11)
    assert interval(twelve, 0.0064) == (1.01, 1.1), "one of twelve beyond: 26 / 4096"
    assert interval(twelve[::-1], 0.0005) == (1.0, 1.11)
    assert interval([], 0.05) is None
    assert rounds_needed(1) == 6
    assert rounds_needed(25) == 10


def verdict(ratios: list[float], bound: float = 0.03) -> tuple[str, bool]:
    told = compared(Comparison("x", "y", ratios, [1.0], [1.0]), ALARMS / 25, bound)
    return told["verdict"], told["fails"]


def test_only_what_every_round_says_is_called_a_difference() -> None:
    assert verdict([1.05, 1.04] * 6) == ("slower", True)
    assert verdict([1.02, 1.01] * 6) == ("slower", False), "within the bound"
    assert verdict([0.95, 0.96] * 6) == ("faster", False)
    assert verdict([1.5] * 11 + [0.99]) == ("same", False)
    assert verdict([1.5] * 9) == ("same", False), "too few rounds to know"


def test_false_alarms_are_as_rare_as_promised() -> None:
    chance = Random(5)
    alarms = sum(
        any(verdict([chance.gauss(1, 0.05) for _ in range(12)], 0)[0] != "same" for _ in range(25))
        for _ in range(200)
    )
    assert alarms <= 200 * ALARMS
