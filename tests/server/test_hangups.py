"""A connection that is closed in both directions is reported; one that is half closed is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from casedesk_proxy.server.hangups import HangUps


@pytest.fixture
async def hangups() -> AsyncIterator[HangUps]:
    made = HangUps(asyncio.get_running_loop())
    yield made
    made.stop()


async def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


async def test_a_reset_is_reported_once(hangups: HangUps) -> None:
    near, far = await tcp_pair()
    calls: list[str] = []
    gone = asyncio.Event()
    with near:
        hangups.watch(near, lambda: (calls.append("gone"), gone.set()))
        far.close()
        near.send(b"answered with a reset")
        await gone.wait()
        await asyncio.sleep(0)
    assert calls == ["gone"]


async def test_a_half_closed_connection_is_not_reported(hangups: HangUps) -> None:
    near, far = await tcp_pair()
    other, gone_far = await tcp_pair()
    calls: list[str] = []
    seen = asyncio.Event()
    with near, far, other:
        hangups.watch(near, lambda: calls.append("half closed"))
        hangups.watch(other, seen.set)
        far.shutdown(socket.SHUT_WR)
        gone_far.close()
        other.send(b"answered with a reset")
        await seen.wait()  # By now the other one would have been reported as well.
        assert calls == []


async def test_a_forgotten_connection_is_not_reported(hangups: HangUps) -> None:
    near, far = socket.socketpair()
    other, other_far = socket.socketpair()
    calls: list[str] = []
    seen = asyncio.Event()
    with near, other:
        number = hangups.watch(near, lambda: calls.append("forgotten"))
        hangups.watch(other, seen.set)
        hangups.forget(number)
        hangups.forget(number)
        far.close()
        other_far.close()
        await seen.wait()
    assert calls == []
