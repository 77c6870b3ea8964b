"""Two daemons of one host share the slots of a node and the clients of a socket, and what a killed
one had is released."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme

from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.sharing import open_table
from casedesk_proxy.instances.table import FILE_NAME
from casedesk_proxy.simulator.script import Script
from tests.daemon.process import Process, daemon, descriptors
from tests.daemon.streams import ask, stream
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.simulated import simulator_thread

CONFIG = """\
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", instances_directory: "{place}"}}
default_deployment: d
nodes:
  n: {{url: "{url}", engine: openai, models: [m], max_streams: 2, probe_interval: 0s}}
deployments:
  d: {{auth: none, nodes: [n]}}
"""


def config(server: str = "") -> Config:
    text = f"server: {{{server}}}\nnodes: {{n: {{url: 'http://127.0.0.1:1'}}}}\n"
    return load_config(text + "deployments: {d: {auth: none, nodes: [n]}}", "c.yaml").config


def test_where_the_configuration_or_the_environment_says(tmp_path: Path) -> None:
    assert open_table(config(), {}) is None
    for server, environ, place in (
        (f"instances_directory: {tmp_path}/one", {}, "one"),
        ("", {"CASEDESK_PROXY_INSTANCES": f"{tmp_path}/two"}, "two"),
    ):
        table = open_table(config(server), environ)
        assert table is not None
        table.close()
        assert (tmp_path / place / FILE_NAME).is_file()


def test_a_place_that_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert open_table(config(), {"CASEDESK_PROXY_INSTANCES": f"{tmp_path}/file"}) is None
    assert "slots and queues are not shared with other instances" in caplog.text


async def begin(process: Process) -> asyncio.Task:  # type: ignore[type-arg]
    first = asyncio.Event()
    task = asyncio.ensure_future(
        stream(process.public, "words=9000&words_per_second=20", first=first)
    )
    await asyncio.wait_for(first.wait(), PATIENCE_S)
    return task


def waiting(process: Process) -> int:
    found: int = json.loads(process.get("/status")[1])["waiting"]["d"]
    return found


def elsewhere(process: Process) -> int:
    found: int = json.loads(process.get("/status")[1])["nodes"]["n"]["elsewhere"]
    return found


async def test_slots_are_shared_until_one_is_killed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with simulator_thread(m=Script()) as node:
        text = CONFIG.format(place=tmp_path / "shared", url=node.url)
        with (
            daemon(tmp_path / "a", node.url, text=text, CASEDESK_PROXY_INSTANCE="a") as one,
            daemon(tmp_path / "b", node.url, text=text, CASEDESK_PROXY_INSTANCE="b") as two,
        ):
            running = [await begin(one), await begin(one)]
            # Without a request of its own an instance looks every quarter of a second.
            while await asyncio.to_thread(elsewhere, two) < 2:
                await asyncio.sleep(0.01)
            asked = await asyncio.gather(
                *(asyncio.to_thread(two.get, f"/all/{path}") for path in ("status", "metrics"))
            )
            found = json.loads(asked[0][1])["instances"]
            assert {name: one["streams"] for name, one in found.items()} == {"a": 2, "b": 0}
            assert found["b"]["nodes"]["n"]["elsewhere"] == 2
            assert 'casedesk_streams{instance="a"} 2.0' in asked[1][1]
            third = asyncio.ensure_future(ask(two.public))
            while not await asyncio.to_thread(waiting, two):
                await asyncio.sleep(0.01)
            assert not third.done()
            one.popen.kill()
            assert (await asyncio.wait_for(third, PATIENCE_S)).status == 200
            two.read_until("has ended; its slots are free again")
            await asyncio.gather(*running, return_exceptions=True)


#: A daemon with an inherited socket, as systemd starts it.
_INHERITING = """\
import os
os.dup2({number}, 3)
os.environ["LISTEN_PID"] = str(os.getpid())
from casedesk_proxy.cli import main
from casedesk_proxy.server import arrivals
{patience}
main()
"""
#: One of two instances may not run for longer than the other waits for it, here 16 ms, and then the
#: other has more than its share.
_PATIENCE = "arrivals._LOOK_TIMES = 10**9"


@contextmanager
def instances(
    folder: Path, url: str, tls: str = "", *, are_patient: bool = True
) -> Iterator[tuple[int, Sequence[Process]]]:
    """The port of a socket that two daemons serve, and these. ``are_patient``: neither accepts
    clients of the other's share, however busy the machine is, while the other is alive."""
    text = CONFIG.format(place=folder / "shared", url=url).replace("server: {", "server: {" + tls)
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as sock, ExitStack() as stack:
        number, started = sock.fileno(), []
        patience = _PATIENCE if are_patient else ""
        script = _INHERITING.format(number=number, patience=patience)
        command = sys.executable, "-c", script
        for name in ("a", "b"):
            (folder / name).mkdir()
            started.append(
                stack.enter_context(
                    daemon(folder / name, url, text=text, command=command, inherited=(number,),
                           LISTEN_FDS="1", LISTEN_FDNAMES="public")
                )
            )  # fmt: skip
        yield sock.getsockname()[1], started


@contextmanager
def burst(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many clients that connect at the same moment."""
    clients = [socket.socket() for _ in range(count)]
    try:
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        yield clients
    finally:
        for client in clients:
            client.close()


async def answers(client: socket.socket) -> bool:
    """Whether it gets a reply; its connection may be lost instead."""
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(client, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return (await loop.sock_recv(client, 15)).startswith(b"HTTP/1.1 ")
    except ConnectionError:
        return False


async def all_answers(clients: Sequence[socket.socket]) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return sum(await asyncio.gather(*map(answers, clients)))


async def test_a_burst_over_tls_is_spread(tmp_path: Path) -> None:
    """Before the handshakes: none of these clients says anything."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    tls = f"tls: {{cert: {tmp_path}/both.pem, key: {tmp_path}/both.pem}}, "
    with simulator_thread(m=Script()) as node, instances(tmp_path, node.url, tls) as (port, both):
        before = sum(descriptors(one.popen.pid) for one in both)
        with burst(port, 200):
            async with asyncio.timeout(PATIENCE_S):
                while (now := [descriptors(one.popen.pid) for one in both]) and (
                    sum(now) < before + 200
                ):
                    await asyncio.sleep(0.01)
        assert min(now) - before // 2 >= 90


async def test_nobody_waits_for_one_that_hangs_and_none_is_lost_with_it(tmp_path: Path) -> None:
    with (
        simulator_thread(m=Script()) as node,
        instances(tmp_path, node.url, are_patient=False) as (port, both),
    ):
        both[0].send(signal.SIGSTOP)
        with burst(port, 100) as clients:
            assert await all_answers(clients) == 100
        with burst(port, 100) as clients:
            both[0].popen.kill()
            assert await all_answers(clients) == 100


async def test_a_kill_in_a_burst_costs_only_its_own_share(tmp_path: Path) -> None:
    with simulator_thread(m=Script()) as node, instances(tmp_path, node.url) as (port, both):
        before = descriptors(both[0].popen.pid)
        with burst(port, 200) as clients:
            while descriptors(both[0].popen.pid) < before + 10:
                await asyncio.sleep(0)
            both[0].popen.kill()
            assert 90 <= await all_answers(clients) < 200


async def test_a_burst_is_spread_and_one_that_drains_gets_none(tmp_path: Path) -> None:
    with simulator_thread(m=Script()) as node, instances(tmp_path, node.url) as (port, both):
        idle = [descriptors(one.popen.pid) for one in both]
        with burst(port, 200) as clients:
            assert await all_answers(clients) == 200
            busy = [descriptors(one.popen.pid) for one in both]
        assert sum(busy) - sum(idle) >= 195
        assert min(now - then for now, then in zip(busy, idle, strict=True)) >= 90
        running = asyncio.ensure_future(stream(port, "words=9000&words_per_second=20"))
        while not any(loads := [streams(one) for one in both]):
            await asyncio.sleep(0.01)
        drains = both[loads.index(1)]
        drains.send(signal.SIGTERM)
        drains.manager.wait_for("STOPPING=1")
        while drains.get("/readyz")[0] == 200:
            await asyncio.sleep(0.01)
        with burst(port, 50) as clients:
            assert await all_answers(clients) == 50
            assert connections(drains) == 1, "that of its stream"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def streams(process: Process) -> int:
    found: int = json.loads(process.get("/status")[1])["streams"]
    return found


def connections(process: Process) -> int:
    found: int = json.loads(process.get("/status")[1])["connections"]
    return found
