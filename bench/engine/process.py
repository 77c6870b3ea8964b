"""Child processes of a bench: pinned to a core, and ended with the bench."""

from __future__ import annotations

import json
import os
import random
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

__all__ = ["EngineFailed", "child", "free_port", "read_line", "read_port", "stop", "wait_for_port"]


class EngineFailed(Exception):
    """A child did not start, or ended early; the message quotes its output."""


@contextmanager
def child(
    tether: Path,
    command: Sequence[str | Path],
    *,
    core: int | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """A running process; ended by SIGTERM, after five seconds by SIGKILL, when the block ends.

    ``tether``, an engine, pins it to ``core`` and ends it if this process is killed. Its stderr
    goes to ``log``, its stdout too unless ``piped``, which also opens its stdin.
    """
    with open(log or os.devnull, "ab") as sink:
        process = subprocess.Popen(
            [str(tether), "-" if core is None else str(core), str(os.getpid()), *map(str, command)],
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else sink,
            stderr=sink,
            env={**os.environ, **(environment or {})},
            text=True,
        )
    try:
        yield process
    finally:
        # The pipes first: a child with much output left would wait for a reader.
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """End one child and wait for it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_port(process: subprocess.Popen[str]) -> int:
    """The port that an engine reports."""
    said: dict[str, Any] = json.loads(read_line(process.stdout, process))
    return int(said["port"])


def read_line(stream: IO[str] | None, process: subprocess.Popen[str]) -> str:
    assert stream is not None
    line = stream.readline()
    if not line:
        raise EngineFailed(f"{_name(process)} ended early: code {process.wait()}")
    return line


def free_port() -> int:
    """A port on which nothing listens, outside the range from which the kernel picks ports for
    clients (ip_local_port_range), so that no client takes it before its server does."""
    while True:
        port = random.randrange(10_000, 20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_port(process: subprocess.Popen[str], port: int, log: Path, limit: float = 60) -> None:
    """Until something answers on the port. Raises EngineFailed with the end of the log."""
    until = time.monotonic() + limit
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    told = log.read_text(errors="replace").strip().splitlines()[-5:]
    trouble = "did not listen" if process.poll() is None else f"ended: code {process.returncode}"
    raise EngineFailed("\n".join([f"{_name(process)} {trouble}", *told]))


def _name(process: subprocess.Popen[str]) -> str:
    words = process.args
    assert isinstance(words, list)
    return shlex.join(words[3:])  # without the tether
