"""The protocol of sd_notify(3), read by a datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.daemon.notify import Notifier, watchdog_timeout
from tests.fixtures.patience import PATIENCE_S


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE_S)
        yield sock


def test_messages(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    before = time.monotonic_ns() // 1000
    notifier.send("READY=1", "STATUS=serving 0 streams")
    notifier.reloading()
    notifier.send("WATCHDOG=1")
    notifier.send()
    assert manager.recv(4096) == b"READY=1\nSTATUS=serving 0 streams"
    told, _, stamp = manager.recv(4096).decode().partition("\nMONOTONIC_USEC=")
    assert told == "RELOADING=1"
    assert before <= int(stamp) <= time.monotonic_ns() // 1000
    assert manager.recv(4096) == b"WATCHDOG=1"
    notifier.close()
    notifier.send("READY=1")


def test_an_abstract_address() -> None:
    name = f"casedesk-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        sock.settimeout(PATIENCE_S)
        notifier = Notifier(f"@{name}")
        notifier.send("READY=1")
        assert sock.recv(100) == b"READY=1"
        notifier.close()


@pytest.mark.parametrize("address", [None, "", "/nonexistent/notify"])
def test_nobody_listens(address: str | None) -> None:
    notifier = Notifier(address)
    notifier.send("READY=1")
    notifier.close()
    assert not notifier.is_connected


def test_a_full_queue_keeps_nobody_and_loses_nothing(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    sent = [f"STATUS={number}" for number in range(60)]
    for line in sent:
        notifier.send(line)
    manager.settimeout(0)
    heard: list[str] = []
    while len(heard) < len(sent):
        try:
            heard.append(manager.recv(100).decode())
        except BlockingIOError:
            notifier.send()
    assert heard == sent
    notifier.close()


def test_a_manager_that_went_stops_nothing(manager: socket.socket) -> None:
    notifier = Notifier(manager.getsockname())
    manager.close()
    notifier.send("READY=1")
    assert notifier.is_connected, "the next message is tried again"
    notifier.close()


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_s_interval(environ: dict[str, str], wanted: float | None) -> None:
    assert watchdog_timeout(environ) == wanted
