"""The machine, the time and the versions of a measurement, to be stored with its result."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe_machine"]


def describe_machine() -> dict[str, str]:
    """Date, processor, kernel, system, interpreter and the libraries that the relay uses."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} × {_find('/proc/cpuinfo', 'model name', ':')}",
        "system": _find("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: _find_version(name) for name in ("uvloop", "aiohttp")},
    }


def _find(path: str, key: str, between: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return "unknown"
    for line in lines:
        name, found, value = line.partition(between)
        if found and name.strip() == key:
            return value.strip()
    return "unknown"


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
