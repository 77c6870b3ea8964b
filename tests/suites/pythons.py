"""The tests of what a Python's version may change, on each that setup.cfg names and that this
machine has, but the one that runs this: ``make test-pythons``.

One is looked for on PATH and among pyenv's. What is not there is not tested, and the last line says
so. Each gets an environment of its own, kept in ``build/`` for the next time, with few libraries:
of the vendors' SDKs only the one that these tests use.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What these tests import, as tests/constraints.txt pins it.
LIBRARIES = (
    "anthropic", "certifi", "hypothesis", "jsonschema", "pytest", "pytest-aiohttp",
    "pytest-asyncio", "pytest-timeout", "pytest-xdist", "trustme",
)  # fmt: skip
#: Those of the event loop and of what stands on the standard library; a parser's bytes are the same
#: on each.
TESTS = ("fastpath", "keystore", "relay", "store", "telemetry", "upstream")
#: An interpreter that can make environments; pyenv's shims are on PATH for versions that are not
#: in use, too, and fail.
PROBE = "import ensurepip, venv, sys; print('%d.%d.%d' % sys.version_info[:3], sys.executable)"
VERSION = re.compile(r"^Programming Language :: Python :: (3\.\d+)$", re.MULTILINE)


def read_versions() -> list[str]:
    """The Python versions that the package supports, such as ``3.11``."""
    return VERSION.findall(_read_metadata()["metadata"]["classifiers"])


def _read_metadata() -> ConfigParser:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def find(version: str) -> tuple[str, str] | None:
    """The full version, and the path of the interpreter."""
    for candidate in _candidates(version):
        done = subprocess.run([candidate, "-c", PROBE], capture_output=True, text=True, check=False)
        whole, _, path = done.stdout.strip().partition(" ")
        if whole.startswith(f"{version}."):
            return whole, path
    return None


def _candidates(version: str) -> Iterator[str]:
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    built = pyenv.glob(f"versions/{version}.*/bin/python")
    yield from map(str, sorted(built, key=_patch, reverse=True))


def _patch(python: Path) -> int:
    patch = re.match(r"\d+", python.parents[1].name.split(".")[2])
    return int(patch[0]) if patch else 0


def check(whole: str, python: str, workers: int) -> tuple[bool, str]:
    """Whether the tests pass, and pytest's summary."""
    began = time.monotonic()
    home = ROOT / "build" / f"python{whole}"
    own = str(home / "bin" / "python")
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    required = _read_metadata()["options"]["install_requires"].split()
    steps = [
        *([] if (home / "bin/pip").exists() else [[python, "-m", "venv", str(home)]]),
        [*pip, "--constraint", "tests/constraints.txt", *required, *LIBRARIES],
        # What newer compilers warn of is an error.
        [own, "-W", "error", "-m", "compileall", "-q", "casedesk_proxy"],
        [own, "-m", "pytest", "--quiet", "--dist", "loadfile", "--no-loadscope-reorder",
         "-n", str(workers), "-m", "not long", "--hypothesis-profile", "fast",
         "-p", "no:cacheprovider", *(f"tests/{one}" for one in TESTS)],
    ]  # fmt: skip
    for step in steps:
        done = subprocess.run(
            step, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return False, f"FAILED: {' '.join(step)}\n{done.stdout}"
    said = done.stdout.strip().splitlines()[-1].strip("= ")
    return True, f"{said}; {time.monotonic() - began:.0f} s with what it needs"


def main() -> int:
    mine = f"3.{sys.version_info[1]}"
    others = [version for version in read_versions() if version != mine]
    there = {version: found for version in others if (found := find(version))}
    workers = max(1, (os.cpu_count() or 1) // max(1, len(there)))
    with ThreadPoolExecutor(max_workers=max(1, len(there))) as pool:
        under_way = {
            version: pool.submit(check, whole, python, workers)
            for version, (whole, python) in there.items()
        }
    results = {version: one.result() for version, one in under_way.items()}
    print(f"CPython {'.'.join(map(str, sys.version_info[:3]))}: runs the whole suite")
    for version, (_, said) in results.items():
        print(f"CPython {there[version][0]}: {said}")
    if missing := [version for version in others if version not in there]:
        print(
            f"NOT TESTED: CPython {', '.join(missing)}; this machine has none, on PATH or of"
            " pyenv's"
        )
    return 0 if all(passed for passed, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
