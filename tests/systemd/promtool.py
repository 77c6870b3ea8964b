"""Prometheus' own checker, installed if it is missing."""

from __future__ import annotations

import functools
import shutil
import subprocess

__all__ = ["promtool"]


@functools.cache
def promtool() -> str:
    """The path of promtool, which is in Debian's package prometheus."""
    if shutil.which("promtool") is None:
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "prometheus"],
            check=True,
            capture_output=True,
            env={"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    found = shutil.which("promtool")
    assert found is not None
    return found
