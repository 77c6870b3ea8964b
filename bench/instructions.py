#!/usr/bin/env python3
"""How many instructions an event and a short request execute: counts, which load does not change.

python -m bench.instructions                   # Python's instructions, of this tree
python -m bench.instructions --check           # compared with the stored ones: CI's smoke run
python -m bench.instructions --against main --machine      # the processor's, beside a commit

valgrind counts the processor's, in user space. The kernel's share, most of an event, is measured by
bench/relay_cost.py, and system calls can be counted with strace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from bench.markdown import table
from bench.micro.processes import ROOT, MicroFailed, check_out

#: What users notice: an event, an event of a stream whose counts the proxy asks for, a request, a
#: request with a ledger and limits, a stream's begin and end.
CASES = (
    "relay/relay", "relay/relay counted", "server/handler", "server/handler limited",
    "server/handler stream",
)  # fmt: skip
#: Former names of cases.
_OLD_NAMES = {"server/verbatim": "relay/relay"}
_STORED = Path(__file__).parent / "results" / "instructions.json"
_TOLERANCE = 1.05
_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


@click.command(help=__doc__)
@click.option("--against", metavar="REV", help="Count a commit's, too.")
@click.option(
    "--machine", is_flag=True, help="The processor's instructions; needs valgrind and cc."
)
@click.option("--check", is_flag=True, help="Fail where Python's are over 5 % more than stored.")
@click.option("--store", is_flag=True, help="Store Python's for this version of it.")
@click.option("--stored", type=click.Path(path_type=Path), default=_STORED, help="Where they are.")
def main(*, against: str | None, machine: bool, check: bool, store: bool, stored: Path) -> None:
    try:
        mine = count(ROOT, machine=machine)
        other: dict[str, float] = {}
        if against is not None:
            with check_out(against) as tree:
                other = count(tree, machine=machine)
        elif not machine:
            other = _read_stored(stored)
    except MicroFailed as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    click.echo(_show(mine, other, against or "stored"))
    if store and not machine:
        _store(stored, mine)
    dearer = [name for name in mine if mine[name] > _TOLERANCE * other.get(name, mine[name])]
    if check and not other:
        click.echo(f"nothing is stored for Python {_version()}: --store does that")
    if check and dearer:
        click.echo(f"over 5 % more than stored: {', '.join(dearer)}; find out why, or --store them")
        raise click.exceptions.Exit(1)


def count(tree: Path, *, machine: bool) -> dict[str, float]:
    """Instructions per operation, by case. Raises MicroFailed."""
    with tempfile.TemporaryDirectory() as name:
        folder, before, library = Path(name), list[str](), "-"
        if machine:
            library = _compile(folder)
            out = f"--callgrind-out-file={folder}/out"
            before = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "-q", out]
        module = [sys.executable, "-m", "bench.micro.counter"]
        names = (*CASES, *_OLD_NAMES)
        done = subprocess.run(
            [*before, *module, str(tree), library, *names], capture_output=True, text=True,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        if done.returncode:
            raise MicroFailed("\n".join(done.stderr.strip().splitlines()[-3:]))
        told = json.loads(done.stdout.splitlines()[-1])
        totals = _read_dumps(folder) if machine else {}
    return {
        _OLD_NAMES.get(name, name): (totals[name] if machine else one["counted"])
        / one["operations"]
        for name, one in told.items()
    }


def _compile(folder: Path) -> str:
    compiler = os.environ.get("CC", "cc")
    if not (shutil.which("valgrind") and shutil.which(compiler)):
        raise MicroFailed("valgrind and a C compiler are needed: apt-get install valgrind gcc")
    source, library = Path(__file__).parent / "engine" / "counted.c", folder / "counted.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MicroFailed(done.stderr.strip())
    return str(library)


def _read_dumps(folder: Path) -> dict[str, int]:
    """Totals by the name of each dump."""
    totals = {}
    for file in folder.glob("out.*"):
        text = file.read_text(errors="replace")
        reason = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        if reason and (total := _TOTAL.search(text)):
            totals[reason[1]] = int(total[1])
    return totals


def _show(mine: dict[str, float], other: dict[str, float], name: str) -> str:
    rows = [["an operation of", "instructions", *([f"× {name}"] if other else [])]]
    for case, counted in mine.items():
        ratio = f"{counted / other[case]:.3f}" if case in other else "–"
        rows.append([case, f"{counted:,.1f}", *([ratio] if other else [])])
    return table(rows)


def _version() -> str:
    return "{}.{}".format(*sys.version_info)


def _read_stored(file: Path) -> dict[str, float]:
    stored: dict[str, dict[str, float]] = json.loads(file.read_text())
    return stored.get(_version(), {})


def _store(file: Path, mine: dict[str, float]) -> None:
    rounded = {name: round(counted, 1) for name, counted in mine.items()}
    stored = json.loads(file.read_text()) | {_version(): rounded}
    file.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(prog_name="python -m bench.instructions")
