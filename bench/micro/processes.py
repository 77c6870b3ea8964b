"""Workers as their parent sees them, and the checkout of another commit."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "MicroFailed", "Stuck", "Worker", "check_out", "worker"]

ROOT = Path(__file__).parent.parent.parent
#: For a batch. It may wait forever, for a connection of the other tree that timed out meanwhile.
_LIMIT_S = 30.0


class MicroFailed(Exception):
    """Nothing can be measured; the message says why."""


class Stuck(MicroFailed):
    """A batch, which takes milliseconds, was not done after so long."""

    def __init__(self, name: str, worker: Worker, limit_s: float) -> None:
        super().__init__(f"{name}: a batch was not done after {limit_s:g} s")
        self.worker = worker


class Worker:
    """``operations`` describes one operation of each case, ``sizes`` is their number in a pass,
    ``absent`` why a case (or all cases of a module) cannot be run."""

    def __init__(self, process: subprocess.Popen[str], log: Any, limit_s: float = _LIMIT_S) -> None:
        self._process, self._log, self._limit_s = process, log, limit_s
        told = self._hear()
        self.operations: dict[str, str] = told["operations"]
        self.sizes: dict[str, int] = told["sizes"]
        self.absent: dict[str, str] = told["absent"]

    def measure(self, name: str, passes: int) -> float:
        """Nanoseconds of CPU time per operation. Raises Stuck; the worker must not be used after
        that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": name, "passes": passes}) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], self._limit_s)[0]:
            raise Stuck(name, self, self._limit_s)
        spent: float = self._hear()["ns"]
        return spent

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            said = self._log.read().strip().splitlines()[-3:]
            raise MicroFailed("\n".join([f"a worker ended with code {code}", *said]))
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def worker(tree: Path, core: int | None, modules: Sequence[str], seed: int = 0) -> Iterator[Worker]:
    """A worker on ``tree``. ``seed`` fixes the order of its sets, which is otherwise random."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)}
    place = "-" if core is None else str(core)
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", "bench.micro.worker", str(tree), place, *modules],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, text=True,
            cwd=ROOT,
        ) as process,
    ):  # fmt: skip
        try:
            yield Worker(process, log)
        finally:
            process.kill()


@contextmanager
def check_out(revision: str, root: Path = ROOT) -> Iterator[Path]:
    """The tree of a commit, in a temporary folder that is removed afterwards. Raises
    MicroFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-micro-") as name:
        tree = Path(name) / "tree"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *words: str) -> None:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
    if done.returncode:
        raise MicroFailed(done.stderr.strip() or f"git {words[0]} failed")
