"""Installs missing peers: into folders of their own, or as root from Debian."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "Unavailable",
    "find_debian",
    "first_match",
    "install_debian",
    "install_npm",
    "install_wheels",
]

BUILD = Path(__file__).parent / "build"
#: Says whether packages may start their services.
_POLICY = Path("/usr/sbin/policy-rc.d")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class Unavailable(Exception):
    """This target cannot be measured on this machine; the message says why."""


def install_wheels(program: str, *packages: str, bare: bool = False) -> Path:
    """``program`` from PyPI in a virtual environment of its own, named like the program.

    ``bare``: without its dependencies.
    """
    home = BUILD / f"venv-{program}"
    found = home / "bin" / program
    if not (home / "complete").exists():
        _say(packages)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        more = ["--no-deps"] if bare else []
        pip = [str(home / "bin" / "pip"), "install", "--quiet", *more, *packages]
        _run(pip, packages)
        (home / "complete").touch()
    return found


def install_npm(name: str, package: str, version: str, overrides: Mapping[str, str]) -> Path:
    """The folder of an npm package, in a project of its own that pins its dependencies."""
    home = BUILD / f"npm-{name}"
    npm = shutil.which("npm")
    if not npm:
        raise Unavailable("npm is not installed (Debian: apt-get install npm)")
    if not (home / "complete").exists():
        _say((f"{package}@{version}",))
        home.mkdir(parents=True, exist_ok=True)
        facts = {"dependencies": {package: version}, "overrides": dict(overrides)}
        (home / "package.json").write_text(json.dumps(facts))
        _run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(home)], (package,))
        (home / "complete").touch()
    return home / "node_modules" / package


def _say(packages: tuple[str, ...]) -> None:
    print(f"installing {' '.join(packages)} …", file=sys.stderr)


def _run(
    command: list[str], packages: tuple[str, ...], environment: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[-1]
        raise Unavailable(f"{' '.join(packages)} does not install: {said}")


def find_debian(program: str, *packages: str) -> str:
    """The path of a program; as root on Debian its packages are installed if it is missing."""
    # Daemons are in sbin, which is not in everyone's PATH.
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    if not shutil.which(program, path=path):
        install_debian(*packages)
        if shutil.which("systemctl"):  # A service must not start with the machine either.
            subprocess.run(["systemctl", "disable", "--now", program], capture_output=True)
    found = shutil.which(program, path=path)
    if not found:
        needed = " ".join(packages)
        raise Unavailable(f"{program} is not installed (Debian: apt-get install {needed})")
    return found


def install_debian(*packages: str, policy: Path = _POLICY) -> None:
    """Install packages, as root on Debian; elsewhere nothing happens. Their services do not start:
    ``policy`` prevents it. Processes take turns, since apt-get fails beside another."""
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        return
    _say(packages)
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    environment = {
        **os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_SBIN}",
        "DEBIAN_FRONTEND": "noninteractive",
    }  # fmt: skip
    with _alone(), _no_services(policy):
        subprocess.run([apt, "update", "-qq"], env=environment, capture_output=True)
        install = [apt, "install", "-y", "-qq", *wait, "--no-install-recommends", *packages]
        _run(install, packages, environment)


@contextmanager
def _alone() -> Iterator[None]:
    with Path(tempfile.gettempdir(), "casedesk-apt.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _no_services(policy: Path) -> Iterator[None]:
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def first_match(pattern: str, command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, result.stdout + result.stderr)
    return found[1] if found else "unknown"
