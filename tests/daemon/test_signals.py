"""Signals at each moment of a process's life."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from casedesk_proxy.daemon.signals import Signals
from casedesk_proxy.simulator.script import Script
from tests.cli.command import COMMAND, ENVIRONMENT
from tests.daemon.process import CONFIG, Manager, Process, daemon
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.prepared_process import PreparedProcess
from tests.fixtures.simulated import SimulatorThread, simulator_thread


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script()) as thread:
        yield thread


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Those of this process are as before afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR2)}
    yield Signals()
    for number, action in before.items():
        signal.signal(number, action)


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGTERM,),
        (signal.SIGINT,),
        (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGINT),
    ],
    ids=["SIGTERM", "SIGINT", "all"],
)
async def test_an_orderly_stop_stays_one(
    node: SimulatorThread, tmp_path: Path, numbers: tuple[signal.Signals, ...]
) -> None:
    """However many signals come, up to the interpreter's last instruction: a manager takes the end
    by a signal for a failure."""
    with daemon(tmp_path, node.url) as process:
        for number in cycle(numbers):
            process.send(number)
            await asyncio.sleep(0.001)
            if process.popen.poll() is not None:
                break
        assert process.popen.returncode == 0
        assert "Traceback" not in "".join(process.popen.stderr or ())


async def test_nothing_is_reloaded_in_a_drain(node: SimulatorThread, tmp_path: Path) -> None:
    with daemon(tmp_path, node.url) as process:
        process.send(signal.SIGTERM)
        for _ in range(20):
            process.send(signal.SIGHUP)
        await asyncio.to_thread(process.popen.wait, PATIENCE_S)
        lines = [*process.lines, *(process.popen.stderr or ())]
        drain = next(number for number, line in enumerate(lines) if "draining" in line)
        assert not [line for line in lines[drain:] if "reloaded" in line]


@contextmanager
def starting(folder: Path) -> Iterator[Process]:
    """A daemon that asks its only node and gets no answer: start-up waits for it."""
    file = folder / "config.yaml"
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        file.write_text(CONFIG.format(url=url, drain="20s", server="").replace(", models: [m]", ""))
        sock.bind(str(folder / "notify"))
        environment = {**ENVIRONMENT, "NOTIFY_SOCKET": str(folder / "notify")}
        popen = PreparedProcess(["serve", "--config", str(file)], environment)
        try:
            silent.settimeout(PATIENCE_S)
            with silent.accept()[0]:
                yield Process(popen, Manager(sock), file)
        finally:
            popen.kill()
            popen.wait(PATIENCE_S)
            assert popen.stderr is not None
            popen.stderr.close()


def test_a_start_is_stopped_at_once(tmp_path: Path) -> None:
    with starting(tmp_path) as process:
        process.send(signal.SIGTERM)
        assert process.popen.wait(PATIENCE_S) == 0
        assert "STOPPING=1" in process.manager.wait_for("=")
        assert "Traceback" not in "".join(process.popen.stderr or ())


def test_a_reload_waits_until_the_start_is_complete(tmp_path: Path) -> None:
    with starting(tmp_path) as process:
        process.send(signal.SIGHUP)
        process.read_until("serving on")
        process.read_until("configuration reloaded")


async def test_those_that_wait_are_answered_once(signals: Signals) -> None:
    got: list[str] = []
    loop = asyncio.get_running_loop()
    signals.hold(signal.SIGHUP, signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGHUP)
    signals.answer(signal.SIGUSR2, lambda: got.append("USR2"), loop)
    os.kill(os.getpid(), signal.SIGUSR2)
    await asyncio.sleep(0)
    assert got == ["USR2"]
    signals.answer(signal.SIGHUP, lambda: got.append("HUP"), loop)
    signals.answer(signal.SIGHUP, lambda: got.append("HUP again"), loop)
    await asyncio.sleep(0)
    assert got == ["USR2", "HUP again"]


async def test_a_dropped_one_does_nothing(signals: Signals) -> None:
    got: list[str] = []
    loop = asyncio.get_running_loop()
    signals.answer(signal.SIGHUP, lambda: got.append("HUP"), loop)
    os.kill(os.getpid(), signal.SIGHUP)
    signals.drop(signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not got
    signals.ignore_all()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_the_first_process_of_a_container_can_be_stopped_from_the_beginning(tmp_path: Path) -> None:
    """The kernel drops what such a process has no handler for. SIGTERM comes before the loop runs:
    while the configuration is read, from a pipe."""
    file = tmp_path / "config.yaml"
    os.mkfifo(file)
    command = [
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        *COMMAND,
        "serve",
        "--config",
        str(file),
    ]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            with file.open("w") as configuration:  # once the command opens it
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                os.kill(int(children.read_text()), signal.SIGTERM)
                configuration.write(CONFIG.format(url="http://127.0.0.1:9", drain="1s", server=""))
            _, said = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0, said
