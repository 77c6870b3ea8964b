"""The service manager gets a ping in time, the status when it changes, and asks for more time."""

from __future__ import annotations

from typing import cast

import pytest

from casedesk_proxy.daemon.notify import Notifier
from casedesk_proxy.daemon.watchdog import Watchdog
from tests.fixtures.clock import Clock


class Manager:
    """Records the messages, with their time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.messages: list[tuple[float, tuple[str, ...]]] = []

    def send(self, *lines: str) -> None:
        self.messages.append((self.clock.now, lines))

    def times(self) -> list[float]:
        return [when for when, _ in self.messages]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manager(clock: Clock) -> Manager:
    return Manager(clock)


def watchdog(
    manager: Manager, timeout_s: float | None, status: list[str] | None = None
) -> Watchdog:
    said = status or ["serving"]
    return Watchdog(manager.clock.loop, cast(Notifier, manager), timeout_s, lambda: said[-1])


@pytest.mark.parametrize(("timeout_s", "period_s"), [(None, 5.0), (60.0, 5.0), (6.0, 2.0)])
def test_two_pings_may_be_missed(
    manager: Manager, timeout_s: float | None, period_s: float
) -> None:
    watchdog(manager, timeout_s).ping()
    manager.clock.advance(20.0)
    times = manager.times()
    assert times == [period_s * number for number in range(int(20 / period_s) + 1)]


def test_the_status_is_sent_only_when_it_changes(manager: Manager) -> None:
    status = ["serving"]
    watchdog(manager, 6.0, status).ping()
    manager.clock.advance(2.0)
    status.append("1 stream")
    manager.clock.advance(2.0)
    assert [lines for _, lines in manager.messages] == [
        ("WATCHDOG=1", "STATUS=serving"),
        ("WATCHDOG=1",),
        ("WATCHDOG=1", "STATUS=1 stream"),
    ]


def test_without_a_watchdog_there_is_no_ping(manager: Manager) -> None:
    watchdog(manager, None).ping()
    assert manager.messages == [(0.0, ("STATUS=serving",))]


def test_a_drain_asks_for_time_until_the_next_pings(manager: Manager) -> None:
    pings = watchdog(manager, 6.0)
    pings.draining = True
    pings.ping()
    assert "EXTEND_TIMEOUT_USEC=6000000" in manager.messages[0][1]


def test_a_stop_ends_the_pings(manager: Manager) -> None:
    pings = watchdog(manager, 6.0)
    pings.ping()
    pings.stop()
    manager.clock.advance(20.0)
    assert manager.times() == [0.0]
