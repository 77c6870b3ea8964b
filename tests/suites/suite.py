"""A vendor's own tests, as they were released, run by pytest in a separate process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

__all__ = ["fetch", "run"]

_RESULT = re.compile(r"^(PASSED|FAILED|ERROR) (\S+)", re.MULTILINE)


def fetch(package: str, folder: Path) -> Path:
    """Download the source distribution of the installed version, which contains the tests; returns
    its folder."""
    wanted = f"{package}=={version(package)}"
    subprocess.run(
        # With `:all:` what builds it would be built from its sources, too: ten minutes.
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package,
         wanted, "--dest", folder],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    (archive,) = folder.glob(f"{package}-*.tar.gz")
    # Not by tarfile, whose filter Debian 12's Python 3.11.2 has not; without one others warn.
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    return folder / archive.name.removesuffix(".tar.gz")


def run(folder: Path, tests: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The result of each test. ``tests``: pytest's arguments; our own settings do not apply."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *tests]
    everything = os.environ | environment
    everything.pop("PYTHONPATH", None)
    done = subprocess.run(
        [*command, "-o", "addopts=", "-o", "filterwarnings="],
        cwd=folder, env=everything, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {name: result for result, name in _RESULT.findall(done.stdout)}
    assert found, done.stdout[-3000:] + done.stderr[-1000:]
    return found
