"""The check of a client's pace, on a clock that the test moves."""

from __future__ import annotations

import dataclasses

import pytest

from casedesk_proxy.config.schema import Config
from casedesk_proxy.relay.pace import TIMEOUT_GRACE_S, Pace, PaceTimer
from casedesk_proxy.snapshot import compile_snapshot
from tests.fixtures.clock import Clock


class Body:
    """A body of which ``received`` bytes have arrived."""

    def __init__(self) -> None:
        self.received = 0
        self.given_up = 0

    def give_up(self) -> None:
        self.given_up += 1


@pytest.fixture
async def clock() -> Clock:
    return Clock()


async def test_a_client_that_keeps_the_pace_is_not_given_up(clock: Clock) -> None:
    body, timer = Body(), PaceTimer(clock.loop, Pace(10.0, 100))
    timer.start(body)
    for _ in range(5):
        body.received += 100
        clock.advance(10.0 + TIMEOUT_GRACE_S)
    assert not body.given_up
    body.received += 99
    clock.advance(10.0 + TIMEOUT_GRACE_S)
    assert body.given_up == 1
    clock.advance(100.0)
    assert body.given_up == 1, "it is given up once"


async def test_bytes_of_the_last_moment_count(clock: Clock) -> None:
    body, timer = Body(), PaceTimer(clock.loop, Pace(10.0, 100))
    timer.start(body)
    clock.advance(10.0)
    assert not body.given_up, "what came in time has yet to be read"
    body.received = 100
    clock.advance(TIMEOUT_GRACE_S)
    assert not body.given_up


async def test_a_stopped_timer_gives_nobody_up_and_a_started_one_begins_anew(clock: Clock) -> None:
    body, timer = Body(), PaceTimer(clock.loop, Pace(10.0, 1))
    timer.start(body)
    clock.advance(9.0)
    timer.start(body)
    clock.advance(9.0)
    assert not body.given_up
    timer.stop()
    clock.advance(100.0)
    timer.stop()
    assert not body.given_up


@pytest.mark.parametrize(("rate", "least"), [(0, 1), (50, 1500)])
def test_the_pace_of_a_configuration(rate: int, least: float) -> None:
    snapshot = compile_snapshot(Config.model_validate({"nodes": {}, "deployments": {}}), {})
    snapshot = dataclasses.replace(snapshot, body_timeout=30.0, min_rate=rate)
    assert Pace.of(snapshot) == Pace(30.0, least)
