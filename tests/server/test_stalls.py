"""A client that does not read what was written to it is reset; one that reads is not."""

from __future__ import annotations

import pytest

from casedesk_proxy.server.limits import ServerLimits
from casedesk_proxy.server.stalls import Stalls
from tests.fixtures.clock import Clock


class Reader:
    """A client with so many unsent bytes."""

    def __init__(self, unsent: int | None = 1000) -> None:
        self.unsent = unsent
        self.is_reset = False

    def reset(self) -> None:
        self.unsent, self.is_reset = None, True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def stalls(clock: Clock, min_rate: int = 0) -> Stalls:
    limits = ServerLimits(send_timeout=60.0, min_rate=min_rate)
    return Stalls(clock.loop, lambda: limits)


def test_a_client_that_reads_nothing_is_reset_after_the_timeout(clock: Clock) -> None:
    watched, client = stalls(clock), Reader()
    watched.watch(client)
    clock.advance(59.0)
    assert not client.is_reset
    clock.advance(1.0 + 60.0 / 4)
    assert client.is_reset


def test_a_client_that_reads_a_byte_now_and_then_is_kept(clock: Clock) -> None:
    watched, client = stalls(clock), Reader()
    watched.watch(client)
    for _ in range(20):
        clock.advance(50.0)
        assert client.unsent is not None
        client.unsent -= 1
    assert not client.is_reset


def test_a_client_below_the_configured_rate_is_reset(clock: Clock) -> None:
    watched, fast, slow = stalls(clock, min_rate=10), Reader(10_000), Reader(10_000)
    watched.watch(fast)
    watched.watch(slow)
    clock.advance(30.0)
    fast.unsent, slow.unsent = 9_000, 9_990
    clock.advance(50.0)
    assert (fast.is_reset, slow.is_reset) == (False, True)


def test_only_the_watched_are_reset(clock: Clock) -> None:
    watched, ended, forgotten = stalls(clock), Reader(None), Reader()
    watched.watch(ended)
    watched.watch(forgotten)
    watched.forget(forgotten)
    clock.advance(200.0)
    assert not ended.is_reset
    assert not forgotten.is_reset


def test_a_stop_ends_the_checks(clock: Clock) -> None:
    watched, client = stalls(clock), Reader()
    watched.watch(client)
    watched.stop()
    clock.advance(200.0)
    assert not client.is_reset
