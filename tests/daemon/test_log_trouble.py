"""The daemon continues if its log is not read, on a full disk, or closed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.cli.status import _ask
from casedesk_proxy.simulator.script import Script
from tests.daemon.process import Process, daemon
from tests.daemon.streams import ask, stream
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.simulated import SimulatorThread, simulator_thread

#: A warning is said about the key, at the start.
CONFIG = """\
server: {{listen: "127.0.0.1:0", admin: "unix:{folder}/admin"}}
default_deployment: d
nodes:
  n: {{url: "{url}", engine: openai, models: [m], api_key: "something"}}
deployments:
  d: {{auth: none, nodes: [n]}}
"""


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script()) as thread:
        yield thread


def public_port(folder: Path) -> int:
    told: dict[str, Any] = _ask(f"unix:{folder}/admin")
    return int(told["listen"][0].rsplit(":", 1)[1])


async def end(process: Process) -> int:
    process.send(signal.SIGTERM)
    return await asyncio.to_thread(process.popen.wait, PATIENCE_S)


async def test_a_pipe_that_nobody_reads(node: SimulatorThread, tmp_path: Path) -> None:
    """The pipe holds 64 KiB, about 200 lines. Once it was full, the loop stood still and SIGTERM
    had no effect."""
    with daemon(tmp_path, node.url) as process:
        running = asyncio.ensure_future(stream(process.public, "words=100&words_per_second=50"))
        for _ in range(20):
            answers = await asyncio.gather(*(ask(process.public) for _ in range(25)))
            assert {one.status for one in answers} == {200}
        # Words of Python's logging, too: refused by a file that is wrong.
        process.file.write_text("nodes: {}\n")
        process.send(signal.SIGHUP)
        process.manager.wait_for("CONFIGURATION REFUSED")
        assert "casedesk_log_lines_dropped_total 0.0" in process.get("/metrics")[1]
        assert (await running).whole
        assert await end(process) == 0


async def test_a_full_disk(node: SimulatorThread, tmp_path: Path) -> None:
    """The disk is full at the start, before the daemon serves, and at each line."""
    text = CONFIG.format(url=node.url, folder=tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with daemon(tmp_path, node.url, text=text, stderr=full) as process:
            assert (await ask(public_port(tmp_path))).status == 200
            assert await end(process) == 0
    finally:
        os.close(full)


async def test_a_log_that_is_closed(node: SimulatorThread, tmp_path: Path) -> None:
    """No other connection or file may get its descriptor number: the lines would be written into
    that."""
    text = CONFIG.format(url=node.url, folder=tmp_path)
    shell = ("sh", "-c", 'exec "$0" -m casedesk_proxy "$@" <&- >&- 2>&-', sys.executable)
    with daemon(tmp_path, node.url, text=text, command=shell, stderr=subprocess.DEVNULL) as process:
        assert (await ask(public_port(tmp_path))).status == 200
        opened = [os.readlink(f"/proc/{process.popen.pid}/fd/{number}") for number in range(3)]
        assert opened == ["/dev/null"] * 3
        assert await end(process) == 0
