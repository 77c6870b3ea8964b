"""The load engine's options, its snapshots, and their evaluation."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine.histogram import Histogram
from bench.engine.process import read_line

__all__ = ["FAULTS", "GRAVE", "Request", "Snapshot", "ask", "load_command"]

#: Counters that stay at zero if a relay works correctly.
FAULTS = ("lost", "duplicated", "reordered", "crossed", "merged_late")
#: Those that a busy machine does not excuse.
GRAVE = ("lost", "duplicated", "reordered", "crossed")

HISTOGRAMS = ("added", "gap", "first_byte", "first_event", "reply")


@dataclass(frozen=True, slots=True)
class Request:
    """The request of each stream, and its URL. ``headers`` may contain a key: they are passed in a
    file."""

    host: str
    port: int
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Totals of one load process since its start. Times are nanoseconds."""

    facts: Mapping[str, Any]
    histograms: Mapping[str, Histogram]

    @classmethod
    def of(cls, line: str) -> Snapshot:
        facts = json.loads(line)
        return cls(facts, {name: Histogram.of(facts.pop(name)) for name in HISTOGRAMS})

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    @property
    def faults(self) -> dict[str, int]:
        """Lost, duplicated and other misplaced events: the kinds that occurred, with their
        number."""
        return {name: self.facts[name] for name in FAULTS if self.facts[name]}


def load_command(program: Path, request: Request, folder: Path, *more: str) -> list[str]:
    """The command line; headers and body are in files in ``folder``, so that ``ps`` does not show
    them.

    Each call writes new files, so that loads that share a folder do not read each other's.
    """
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return [
        str(program), "--host", request.host, "--port", str(request.port), "--path", request.path,
        "--headers", _written(folder, headers.encode()),
        "--body-file", _written(folder, request.body), *more,
    ]  # fmt: skip


def _written(folder: Path, content: bytes) -> str:
    """The path of a new file with this content that only its owner can read."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(content)
    return file.name


def ask(process: subprocess.Popen[str]) -> Snapshot:
    """The totals so far of a load that runs with ``--control``."""
    assert process.stdin is not None
    process.stdin.write(".")
    process.stdin.flush()
    return Snapshot.of(read_line(process.stdout, process))
