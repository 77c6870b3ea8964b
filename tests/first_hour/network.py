"""A network namespace with only loopback: every usual port is free there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.command import ENVIRONMENT
from tests.systemd.machine import ROOT

__all__ = ["PROGRAMS", "own_network", "running"]

#: The folders of Debian's programs.
PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"


@contextmanager
def own_network() -> Iterator[list[str]]:
    """The words before a command that make it run in that network."""
    holder = subprocess.Popen(
        ["unshare", "-n", "--kill-child", "sh", "-c", "ip link set lo up && echo up && exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder, holder.stdin, holder.stdout:
        assert holder.stdout.readline() == "up\n"
        yield ["nsenter", "-t", str(holder.pid), "-n", "--"]
        holder.stdin.close()


@contextmanager
def running(enter: list[str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """`tests.first_hour.inside` in that network, once it has written its first line."""
    process = subprocess.Popen(
        [*enter, sys.executable, "-m", "tests.first_hour.inside", *words],
        cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        assert process.stdout.readline(), f"{words} did not start"
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(60)
