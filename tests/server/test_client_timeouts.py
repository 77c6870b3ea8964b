"""A connection's timers, on a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.relay.pace import TIMEOUT_GRACE_S
from casedesk_proxy.server.client_timeouts import ClientTimeouts
from tests.fixtures.clock import Clock


class Server:
    head_timeout_s = 2.0
    idle_timeout_s = 10.0
    closing = False

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = self.clock.loop


class Connection:
    """A connection that is its own client; only its close counts."""

    def __init__(self) -> None:
        self.client: Any = self
        self.idle = True
        self.held_up = False
        self.closed = 0
        self.refused = 0

    def is_idle(self) -> bool:
        return self.idle

    def is_held_up(self) -> bool:
        return self.held_up

    def close(self) -> None:
        self.closed += 1

    def refuse_head(self) -> None:
        self.refused += 1


Made = tuple[ClientTimeouts, Connection, Server]


@pytest.fixture
async def made() -> Made:
    connection, server = Connection(), Server()
    return ClientTimeouts(connection, server), connection, server


async def test_an_idle_one_is_closed(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_idle()
    server.clock.advance(10.0)
    assert not connection.closed, "what came in time has yet to be read"
    server.clock.advance(TIMEOUT_GRACE_S)
    assert connection.closed == 1


async def test_one_that_was_used_meanwhile_stays_as_long_again(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_idle()
    server.clock.advance(9.0)
    timeouts.start_idle()
    server.clock.advance(9.0)
    assert not connection.closed
    server.clock.advance(1.0 + TIMEOUT_GRACE_S)
    assert connection.closed == 1


async def test_one_that_is_answered_is_not_idle(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_idle()
    connection.idle = False
    server.clock.advance(100.0)
    assert not connection.closed


async def test_closing_shortens_the_wait(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_idle()
    server.closing, server.idle_timeout_s = True, 1.0
    timeouts.restart_idle()
    server.clock.advance(1.0 + TIMEOUT_GRACE_S)
    assert connection.closed == 1


async def test_a_head_that_takes_too_long_is_refused_from_its_first_byte_on(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_head()
    server.clock.advance(1.5)
    timeouts.start_head()
    server.clock.advance(0.5 + TIMEOUT_GRACE_S)
    assert connection.refused == 1


async def test_a_head_that_came_is_not_refused(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_head()
    timeouts.stop_head()
    server.clock.advance(100.0)
    assert not connection.refused


async def test_a_head_that_we_do_not_read_is_not_late(made: Made) -> None:
    timeouts, connection, server = made
    connection.held_up = True
    timeouts.start_head()
    server.clock.advance(100.0)
    assert not connection.refused
    connection.held_up = False
    server.clock.advance(2 * TIMEOUT_GRACE_S)
    assert connection.refused == 1


async def test_a_lingering_one_is_closed_and_waits_for_nothing_else(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_idle()
    timeouts.start_head()
    timeouts.linger()
    timeouts.restart_idle()
    server.clock.advance(100.0)
    assert (connection.closed, connection.refused) == (1, 0)


async def test_after_the_end_nothing_comes(made: Made) -> None:
    timeouts, connection, server = made
    timeouts.start_idle()
    timeouts.start_head()
    timeouts.linger()
    timeouts.end()
    timeouts.linger()
    server.clock.advance(100.0)
    assert (connection.closed, connection.refused) == (0, 0)
