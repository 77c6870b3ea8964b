"""A daemon that is replaced by another: notices to the manager, streams that continue, faults."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from casedesk_proxy.daemon.handover import Handover
from casedesk_proxy.daemon.notify import Notifier
from casedesk_proxy.simulator.script import Script
from tests.daemon.held_node import held_node
from tests.daemon.process import Process, daemon
from tests.daemon.streams import ask, stream
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.simulated import SimulatorThread, simulator_thread

#: For longer than any test takes.
LONG = "words=9000&words_per_second=20"


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script()) as thread:
        yield thread


@contextmanager
def successor(process: Process) -> Iterator[int]:
    """The process that was announced to the manager; it is ended when the block ends."""
    named = re.search(r"MAINPID=(\d+)\nREADY=1", process.manager.wait_for("MAINPID="))
    assert named
    pid = int(named[1])
    try:
        yield pid
    finally:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)


async def begin(process: Process, script: str = LONG) -> asyncio.Task:  # type: ignore[type-arg]
    first = asyncio.Event()
    task = asyncio.ensure_future(stream(process.public, script, first=first))
    await first.wait()
    return task


async def gone(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    descriptor = os.pidfd_open(pid)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def test_a_successor_serves_before_the_old_one_drains(
    node: SimulatorThread, tmp_path: Path
) -> None:
    with daemon(tmp_path, node.url) as process:
        streaming = await begin(process)
        process.send(signal.SIGUSR2)
        process.manager.wait_for("RELOADING=1")
        with successor(process) as pid:
            process.manager.wait_for("READY=1")
            answers = await asyncio.gather(*(ask(process.public) for _ in range(10)))
            assert {one.status for one in answers} == {200}
            assert json.loads(process.get("/status")[1])["pid"] == pid
            # It can do the same, and what it hands over is what it was given.
            os.kill(pid, signal.SIGUSR2)
            with successor(process) as third:
                process.manager.wait_for("READY=1")
                assert (await ask(process.public)).status == 200
                assert not streaming.done()
                # Two signals end at once what the first of them still drains.
                os.kill(third, signal.SIGTERM)
                process.manager.wait_for("STOPPING=1")
                os.kill(third, signal.SIGTERM)
                assert b"shutting down" in (await streaming).tail
                await gone(third)
                assert await asyncio.to_thread(process.popen.wait, PATIENCE_S) == 0


async def test_a_successor_that_stops_waits_for_what_still_drains(
    tmp_path: Path,
) -> None:
    """When a service's main process ends, the manager kills its other processes."""
    with held_node() as node, daemon(tmp_path, node.url) as process:
        streaming = await begin(process)
        process.send(signal.SIGUSR2)
        with successor(process) as pid:
            process.manager.wait_for("READY=1")
            os.kill(pid, signal.SIGTERM)
            # It has nothing of its own to wait for.
            assert "EXTEND_TIMEOUT" in process.manager.wait_for("STATUS=draining 0 streams")
            node.release()
            await gone(pid)
            assert (await streaming).whole
            assert await asyncio.to_thread(process.popen.wait, PATIENCE_S) == 0


async def test_a_successor_that_does_not_start_changes_nothing(
    node: SimulatorThread, tmp_path: Path
) -> None:
    with daemon(tmp_path, node.url) as process:
        good = process.file.read_text()
        process.file.write_text("nodes: {}\n")
        process.send(signal.SIGUSR2)
        process.read_until("error", f"{process.file}:1")
        process.read_until("error", "the installed version was not started")
        process.manager.wait_for("CONFIGURATION REFUSED: the installed version: it ended")
        assert (await ask(process.public)).status == 200
        process.file.write_text(good)
        process.send(signal.SIGUSR2)
        with successor(process):
            assert (await ask(process.public)).status == 200


async def test_a_successor_that_is_stopped_before_it_serves_changes_nothing(
    node: SimulatorThread, tmp_path: Path
) -> None:
    with daemon(tmp_path, node.url) as process, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        silent.settimeout(PATIENCE_S)
        text = process.file.read_text()
        more = f"nodes:\n  silent: {{url: 'http+unix://{tmp_path}/silent', engine: vllm}}\n"
        process.file.write_text(text.replace("nodes:\n", more, 1))
        process.send(signal.SIGUSR2)
        with (await asyncio.to_thread(silent.accept))[0] as asked:
            peer = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid, _, _ = struct.unpack("3i", peer)
            os.kill(pid, signal.SIGTERM)
            await gone(pid)
        process.read_until("the installed version was not started: it ended before it served")
        assert (await ask(process.public)).status == 200


async def test_without_a_manager_nobody_follows(caplog: pytest.LogCaptureFixture) -> None:
    """The program that started the daemon would take its end for the service's end."""
    handover = Handover(None, Notifier(None))  # type: ignore[arg-type]
    handover.request()
    await handover.stop()
    assert "no service manager" in caplog.text


async def test_a_reload_takes_another_version_where_that_is_asked_for(
    node: SimulatorThread, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nfrom casedesk_proxy.cli import main\nmain()\n")
    program.chmod(0o755)
    server = ", upgrade_on_reload: true"
    with daemon(tmp_path, node.url, server=server, command=(str(program),)) as process:
        process.send(signal.SIGHUP)
        process.read_until("configuration reloaded")
        (tmp_path / "next").write_text(program.read_text())
        (tmp_path / "next").chmod(0o755)
        (tmp_path / "next").rename(program)
        process.send(signal.SIGHUP)
        with successor(process) as pid:
            process.manager.wait_for("READY=1")
            assert json.loads(process.get("/status")[1])["pid"] == pid
