"""Installs missing peers: into folders of their own, or as root from Debian."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Unavailable", "find_debian", "first_match", "install_npm", "install_wheels"]

BUILD = Path(__file__).parent / "build"


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


def _run(command: list[str], packages: tuple[str, ...]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[-1]
        raise Unavailable(f"{' '.join(packages)} does not install: {said}")


def find_debian(program: str, package: str) -> str:
    """The path of a program; as root on Debian it is installed if it is missing."""
    # Daemons are in sbin, which is not in everyone's PATH.
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin"
    if not shutil.which(program, path=path):
        _install(program, package)
    found = shutil.which(program, path=path)
    if not found:
        raise Unavailable(f"{program} is not installed (Debian: apt-get install {package})")
    return found


def _install(program: str, package: str) -> None:
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        return
    print(f"installing {package} …", file=sys.stderr)
    # The package would start a service of its own, on port 80: policy-rc.d prevents that.
    policy = Path("/usr/sbin/policy-rc.d")
    mine = not policy.exists()
    if mine:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        subprocess.run(
            [apt, "install", "-y", "--no-install-recommends", package],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if shutil.which("systemctl"):  # it must not start with the machine either
            subprocess.run(["systemctl", "disable", "--now", program], capture_output=True)
    finally:
        if mine:
            policy.unlink()


def first_match(pattern: str, command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, result.stdout + result.stderr)
    return found[1] if found else "unknown"
