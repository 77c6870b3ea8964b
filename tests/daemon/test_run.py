"""The daemon without systemd: signals, and its notices to a manager, on a datagram socket."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.daemon.reload import Prepared
from casedesk_proxy.daemon.run import Daemon
from casedesk_proxy.simulator.script import Script
from tests.cli.command import COMMAND, run
from tests.daemon.held_node import WORDS, HeldNode, held_node
from tests.daemon.process import BLOCKABLE, CONFIG, Process, daemon, descriptors
from tests.daemon.streams import Streamed, ask, read_stream, request, stream
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import open_client
from tests.fixtures.simulated import SimulatorThread, simulator_thread

BROKEN = "nodes:\n  n: {url: nowhere}\ndeployments:\n  d: {nodes: [x]}\n"


@pytest.fixture(scope="module")
def node() -> object:
    with simulator_thread(m=Script()) as thread:
        yield thread


@pytest.fixture
def held() -> Iterator[HeldNode]:
    with held_node() as started:
        yield started


@asynccontextmanager
async def streaming(
    process: Process, count: int = 1, script: str = ""
) -> AsyncIterator[list[asyncio.Task[Streamed]]]:
    """Begin streams; returns their tasks."""
    firsts = [asyncio.Event() for _ in range(count)]
    tasks = [asyncio.ensure_future(stream(process.public, script, first=one)) for one in firsts]
    await asyncio.gather(*(one.wait() for one in firsts))
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def exit_code(process: Process) -> int:
    return await asyncio.to_thread(process.popen.wait, PATIENCE_S)


async def end_all(held: HeldNode, tasks: list[asyncio.Task[Streamed]]) -> None:
    """Let the streams end. Each has all that its node has sent."""
    held.release()
    for streamed in await asyncio.gather(*tasks):
        assert (streamed.whole, streamed.words) == (True, WORDS)


def edit(process: Process, old: str, new: str) -> None:
    text = process.file.read_text()
    assert old in text
    process.file.write_text(text.replace(old, new))


async def test_a_life(node: SimulatorThread, tmp_path: Path) -> None:
    with daemon(tmp_path, node.url, command=COMMAND) as process:
        process.manager.wait_for("STATUS=serving 0 streams; 1 of 1 nodes usable")
        process.send(signal.SIGHUP)
        stamp = re.search(r"MONOTONIC_USEC=(\d+)", process.manager.wait_for("RELOADING=1"))
        assert stamp
        assert 0 <= time.monotonic_ns() // 1000 - int(stamp[1]) < 10e6
        process.manager.wait_for("READY=1")
        process.send(signal.SIGTERM)
        process.manager.wait_for("STOPPING=1")
        extended = re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", process.manager.wait_for("EXTEND"))
        assert extended
        assert int(extended[1]) >= 5_000_000
        assert await exit_code(process) == 0


async def test_a_drain_lets_streams_end(held: HeldNode, tmp_path: Path) -> None:
    with daemon(tmp_path, held.url) as process:
        async with streaming(process, 5) as tasks:
            process.send(signal.SIGTERM)
            process.manager.wait_for("STATUS=draining 5 streams")
            assert process.get("/readyz")[0] == 503
            with pytest.raises(ConnectionRefusedError):
                await stream(process.public, "")
            await end_all(held, tasks)
        assert await exit_code(process) == 0
        lines = list(process.popen.stderr or ())
        assert sum("end=completed" in line for line in lines) == 5
        assert any("draining: 5 streams, for up to " in line for line in lines)


@pytest.mark.parametrize("hurried", [True, False])
async def test_what_does_not_end_is_told_so(
    node: SimulatorThread, tmp_path: Path, hurried: bool
) -> None:
    drain = "10m" if hurried else "300ms"
    with daemon(tmp_path, node.url, drain=drain) as process:
        async with streaming(process, 2, "words=9000&words_per_second=40") as tasks:
            process.send(signal.SIGTERM)
            process.manager.wait_for("STOPPING=1")
            if hurried:
                process.send(signal.SIGTERM)
            for streamed in await asyncio.gather(*tasks):
                assert not streamed.whole
                assert b"shutting down" in streamed.tail
        assert await exit_code(process) == 0
        assert sum("end=shut_down" in line for line in process.popen.stderr or ()) == 2


async def test_a_request_that_has_no_reply_yet_is_answered_at_the_end(
    node: SimulatorThread, tmp_path: Path
) -> None:
    with daemon(tmp_path, node.url, drain="0s") as process:
        begun = asyncio.Event()
        task = asyncio.ensure_future(stream(process.public, "head_delay=30", begun))
        while json.loads(process.get("/status")[1])["nodes"]["n"]["in_flight"] < 1:
            await asyncio.sleep(0.01)
        process.send(signal.SIGTERM)
        streamed = await task
        assert streamed.status == 503
        assert b"shutting down" in streamed.tail
        assert await exit_code(process) == 0


async def test_kept_connections_get_one_last_answer(node: SimulatorThread, tmp_path: Path) -> None:
    """A client that pools connections sends a request while the service begins to stop."""
    with daemon(tmp_path, node.url) as process:
        url = f"http://127.0.0.1:{process.public}"
        peers = [await open_client(url) for _ in range(3)]
        for client in peers[:2]:
            client.write(request("words=2", stream=False))
            assert "connection: close" not in (await read_stream(client)).head.lower()
        process.send(signal.SIGTERM)
        process.manager.wait_for("STOPPING=1")
        # All at once: one that sends nothing for a second is closed.
        for client in peers[1:]:
            client.write(request("words=2", stream=False))
        for client in peers[1:]:
            last = await read_stream(client)
            assert last.status == 200
            assert "connection: close" in last.head.lower()
            assert await client.rest() == b""
        assert await peers[0].rest() == b"", "nothing came: closed"
        assert await exit_code(process) == 0
        for client in peers:
            await client.end()


async def test_a_bad_file_changes_nothing(held: HeldNode, tmp_path: Path) -> None:
    with daemon(tmp_path, held.url) as process:
        good = process.file.read_text()
        async with streaming(process, 3) as tasks:
            process.file.write_text(BROKEN)
            process.send(signal.SIGHUP)
            process.manager.wait_for("RELOADING=1")
            process.manager.wait_for("READY=1")
            status = process.manager.wait_for("CONFIGURATION REFUSED")
            assert f"{process.file}:2:12: nodes.n.url" in status
            assert "and 1 more" in status
            process.read_until(" error ", f"{process.file}:2:12: nodes.n.url")
            process.read_until(" error ", f"{process.file}:4:15: deployments.d.nodes[0]")
            process.read_until(" error ", "previous configuration stays active")
            metrics = process.get("/metrics")[1]
            assert 'casedesk_config_reloads_total{result="refused"} 1.0' in metrics
            assert "casedesk_config_refused 1.0" in metrics
            assert (await ask(process.public)).status == 200
            await end_all(held, tasks)
        process.file.write_text(good)
        process.send(signal.SIGHUP)
        process.read_until("configuration reloaded")
        assert "casedesk_config_refused 0.0" in process.get("/metrics")[1]
        assert process.popen.poll() is None


async def test_a_good_file_is_swapped_in(held: HeldNode, tmp_path: Path) -> None:
    with daemon(tmp_path, held.url) as process:
        async with streaming(process) as tasks:
            edit(process, "models: [m]", "models: [m, m2]")
            edit(process, "auth: none, ", "auth: none, aliases: {fresh: m}, ")
            edit(process, '"127.0.0.1:0", admin', '"127.0.0.1:1", admin')
            process.send(signal.SIGHUP)
            told = process.read_until("configuration reloaded")
            assert "nodes.n.models changed" in told
            assert "deployments.d.aliases changed" in told
            process.read_until("warning", "server.listen", "restart")
            before = json.loads(process.get("/status")[1])
            assert before["nodes"]["n"]["in_flight"] == 1, "counts survive"
            assert before["nodes"]["n"]["models"] == ["m", "m2"]
            await end_all(held, tasks)
        assert json.loads(process.get("/status")[1])["nodes"]["n"]["in_flight"] == 0


async def test_a_storm_of_reloads_breaks_no_stream(held: HeldNode, tmp_path: Path) -> None:
    with daemon(tmp_path, held.url) as process:
        async with streaming(process, 10) as tasks:
            before = descriptors(process.popen.pid)
            for _ in range(40):
                process.send(signal.SIGHUP)
                assert (await ask(process.public)).status == 200
                await asyncio.sleep(0.02)
            # Files of the last reload may be open yet.
            while descriptors(process.popen.pid) > before + 5:
                await asyncio.sleep(0.01)
            await end_all(held, tasks)


@pytest.mark.parametrize("which", ["the configuration", "a key", "a certificate"])
async def test_a_pipe_for_a_file_hangs_neither_reloads_nor_the_end(
    node: SimulatorThread, tmp_path: Path, which: str
) -> None:
    """A pipe hangs like a mount that does not answer. The file's limit is 30 s; a second reload
    waits 5 s for the first."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with daemon(tmp_path, node.url) as process:
        good = process.file.read_text()
        if which == "the configuration":
            process.file.unlink()
            process.file.symlink_to(pipe)
        else:
            secret = f"api_key: {{file: {pipe}}}" if which == "a key" else f"tls: {{ca: {pipe}}}"
            edit(process, "models: [m]", f"models: [m], {secret}")
        process.send(signal.SIGHUP)
        process.manager.wait_for("RELOADING=1")
        assert (await ask(process.public)).status == 200
        # While it hangs, another reload is asked for, with a good file.
        process.file.unlink()
        process.file.write_text(good.replace("models: [m]", "models: [m, m2]"))
        process.send(signal.SIGHUP)
        line = process.read_until("configuration re")
        if "refused" in line:
            assert "takes more than 5 s" in line
            line = process.read_until("configuration reloaded")
        assert "nodes.n.models changed" in line
        # And one that hangs when it is told to stop.
        process.file.unlink()
        process.file.symlink_to(pipe)
        process.send(signal.SIGHUP)
        process.manager.wait_for("RELOADING=1")
        process.send(signal.SIGTERM)
        assert await exit_code(process) == 0


async def test_an_edited_file_is_taken(node: SimulatorThread, tmp_path: Path) -> None:
    with daemon(tmp_path, node.url, server=", watch: true") as process:
        draft = tmp_path / "draft"
        draft.write_text(process.file.read_text().replace("models: [m]", "models: [m, edited]"))
        draft.rename(process.file)
        assert "nodes.n.models changed" in process.read_until("configuration reloaded")
        edit(process, "watch: true", "watch: false")
        assert "server.watch changed" in process.read_until("configuration reloaded")


async def test_the_watchdog_is_fed_while_the_loop_turns(
    node: SimulatorThread, tmp_path: Path
) -> None:
    with daemon(tmp_path, node.url, command=BLOCKABLE, WATCHDOG_USEC="300000") as process:
        for _ in range(3):
            process.manager.wait_for("WATCHDOG=1")
        process.send(signal.SIGUSR1)
        with pytest.raises(AssertionError, match="never heard"):
            while True:
                process.manager.wait_for("WATCHDOG=1", seconds=1.5)
        process.send(signal.SIGABRT)
        process.read_until("Current thread")
        assert await exit_code(process) == -signal.SIGABRT


async def test_sockets_are_handed_over(held: HeldNode, tmp_path: Path) -> None:
    """The test does what systemd does: descriptor 3, and a LISTEN_PID that only a forked child can
    know."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        number = listener.fileno()
        script = (
            f"import os, sys; os.dup2({number}, 3); os.environ['LISTEN_PID'] = str(os.getpid());"
            "os.execv(sys.executable, [sys.executable, '-m', 'casedesk_proxy', *sys.argv[1:]])"
        )
        os.set_inheritable(number, True)
        command = (BLOCKABLE[0], "-c", script)
        environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"}
        with daemon(
            tmp_path, held.url, command=command, inherited=(number,), **environment
        ) as process:
            assert process.public == port
            assert (await ask(port)).status == 200
            async with streaming(process) as tasks:
                process.send(signal.SIGTERM)
                process.manager.wait_for("STOPPING=1")
                # The socket is ours, not the daemon's: whoever connects now waits.
                waiting = await open_client(f"http://127.0.0.1:{port}")
                await end_all(held, tasks)
                await waiting.end()
            assert await exit_code(process) == 0


async def test_the_planners_parent_is_started_unless_the_stop_comes_first() -> None:
    """Neither needs its time: a stop that has come is noticed at once."""

    def start() -> None:
        started.append(True)
        served._on_stop()

    started: list[bool] = []
    gateway = cast(Any, SimpleNamespace(planners=SimpleNamespace(prepare=start)))
    for is_stopped in (True, False):
        prepared = Prepared(
            load_config(CONFIG.format(url="http://127.0.0.1:9", drain="1s", server=""), "x").config,
            {},
        )
        served = Daemon(prepared, log_handler=cast(Any, object()), at_rest_after_s=0.0)
        if is_stopped:
            served._on_stop()
        await served._serve(gateway)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert started == [True] * (not is_stopped)


def test_the_journal_gets_levels(node: SimulatorThread, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as opened:
        status = os.fstat(opened.fileno())
        name = f"{status.st_dev}:{status.st_ino}"
        text = CONFIG.format(url=node.url, drain="1s", server="")
        text = text.replace('listen: "127.0.0.1:0"', 'listen: "127.0.0.1:65536"')
        with daemon(tmp_path, node.url, JOURNAL_STREAM=name, stderr=opened.fileno()) as process:
            process.send(signal.SIGHUP)
            process.manager.wait_for("RELOADING=1")
            process.file.write_text(text)
            process.manager.wait_for("READY=1")
            process.send(signal.SIGHUP)
            process.manager.wait_for("CONFIGURATION REFUSED")
            # The manager hears of it at once, the log within a moment; then the daemon is killed.
            while "configuration refused" not in log.read_text():
                time.sleep(0.01)
    started = run("serve", "--config", "/none", JOURNAL_STREAM="1:1")
    assert started.stderr.startswith("error: /none")
    lines = log.read_text().splitlines()
    assert lines[0].startswith("<6>serving on http://127.0.0.1:")
    assert any(line.startswith("<3>configuration refused:") for line in lines)
    assert all(re.match(r"<[3-6]>", line) for line in lines)
