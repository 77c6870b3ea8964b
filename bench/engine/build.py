"""Compiles the C programs if they are needed and older than their sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BuildFailed", "Engines", "build"]

SOURCES = Path(__file__).parent
BUILD = SOURCES.parent / "build"
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11"]


class BuildFailed(Exception):
    """There is no C compiler, or it failed; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Paths of the programs."""

    node: Path
    load: Path
    floor: Path
    tether: Path


def build(folder: Path = BUILD) -> Engines:
    """The programs in ``folder``, compiled if necessary. Raises BuildFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    return Engines(*(_build_one(name, folder) for name in ("node", "load", "floor", "tether")))


def _build_one(name: str, folder: Path) -> Path:
    program = folder / name
    sources = (SOURCES / f"{name}.c", SOURCES / "common.h")
    newest = max(source.stat().st_mtime for source in sources)
    if not program.exists() or program.stat().st_mtime < newest:
        _compile(sources[0], program)
    return program


def _compile(source: Path, program: Path) -> None:
    compiler = os.environ.get("CC", "cc")
    if not shutil.which(compiler):
        raise BuildFailed(
            f"no C compiler: '{compiler}' is not on the PATH. The bench compiles small C programs;"
            " install one (Debian: apt-get install gcc libc6-dev) or name yours in CC."
        )
    # Beside the target, then renamed: so two simultaneous runs never see half a program.
    handle, draft = tempfile.mkstemp(prefix=program.name, dir=program.parent)
    os.close(handle)
    try:
        result = subprocess.run(
            [compiler, *FLAGS, "-o", draft, str(source)], capture_output=True, text=True
        )
        if result.returncode:
            raise BuildFailed(f"{compiler} refused {source.name}:\n{result.stderr.strip()}")
        os.chmod(draft, 0o755)
        os.replace(draft, program)
    finally:
        Path(draft).unlink(missing_ok=True)
