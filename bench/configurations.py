#!/usr/bin/env python3
"""The cost of starting and reloading with a large configuration, and the delay of the loop.

python -m bench.configurations [--keys 10000] [--deployments 1000]

Seconds by the clock, a start's in CPU time, too; a stall is the longest round of the loop in CPU
time (`bench.beat`).
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from bench.accounts import cpu_ns
from bench.beat import look

_SERVER = 'server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", access_log: false}\n'
#: Seconds to finish the work that follows a reload.
_SETTLE_S = 0.7


def configure(keys: int, deployments: int, changed: int) -> str:
    lines = ["default_deployment: d0", "nodes:", '  n: {url: "http://127.0.0.1:9", models: [m]}']
    lines += ["deployments:"] + [f"  d{number}: {{nodes: [n]}}" for number in range(deployments)]
    if keys:
        lines += [
            "keys:",
            f"  - {{name: changed-{changed}, sha256: {_digest(-1)}, deployments: [d0]}}",
        ]
    lines += [
        f"  - {{name: person-{number}, sha256: {_digest(number)}, deployments: [d0]}}"
        for number in range(keys)
    ]
    return _SERVER + "\n".join(lines) + "\n"


def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def measure(keys: int, deployments: int, file: Path) -> dict[str, Any]:
    file.write_text(configure(keys, deployments, 0))
    begun = time.monotonic()
    command = [sys.executable, "-m", "bench.beat", str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        told: dict[str, Any] = {"keys": keys, "deployments": deployments}
        told["start_s"] = round(time.monotonic() - begun, 2)
        told["start_cpu_s"] = round(cpu_ns(process.pid) / 1e9, 2)
        time.sleep(_SETTLE_S)
        file.write_text(configure(keys, deployments, 1))
        look(process)
        begun = time.monotonic()
        process.send_signal(signal.SIGHUP)
        while "configuration re" not in (line := process.stderr.readline()):
            assert line, "it ended"
        told["reload_s"] = round(time.monotonic() - begun, 2)
        time.sleep(_SETTLE_S)
        told["stall_ms"] = round(look(process)["stall"], 1)
        status = Path(f"/proc/{process.pid}/status").read_text()
        told["mb"] = int(status.partition("RssAnon:")[2].split()[0]) // 1024
        process.terminate()
    return told


@click.command(help=__doc__)
@click.option("--keys", default=10_000, show_default=True)
@click.option("--deployments", default=1000, show_default=True)
def main(keys: int, deployments: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "proxy.yaml"
        for sizes in ((0, 1), (keys // 10, 1), (keys, 1), (0, deployments // 10), (0, deployments)):
            click.echo(json.dumps(measure(*sizes, file)))


if __name__ == "__main__":
    main()
