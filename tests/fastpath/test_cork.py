"""Writes in a cork are sent in the same round, whole, in order, and never to a closed transport."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.switches import Trick, turn_off


class Peer:
    """The part of a transport that a cork uses; ``said`` lists the writes: the peer and the
    bytes."""

    def __init__(self, name: str, said: list[tuple[str, bytes]]) -> None:
        self.name, self._said = name, said
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self._said.append((self.name, data))

    def is_closing(self) -> bool:
        return self.closed


def peers(*names: str) -> tuple[list[tuple[str, bytes]], list[Any]]:
    said: list[tuple[str, bytes]] = []
    return said, [cast(asyncio.Transport, Peer(name, said)) for name in names]


async def test_messages_go_together_when_all_that_came_is_read() -> None:
    said, (a, b) = peers("a", "b")
    cork = CorkedWrites(asyncio.get_running_loop())
    cork.write(a, b"1")
    cork.write(b, b"2")
    cork.write(a, b"3")
    assert not said
    await asyncio.sleep(0)
    assert said == [("a", b"13"), ("b", b"2")]
    cork.write(b, b"4")
    await asyncio.sleep(0)
    assert said[2:] == [("b", b"4")]


async def test_who_is_settled_has_what_was_held_at_once_and_once() -> None:
    said, (a, b) = peers("a", "b")
    cork = CorkedWrites(asyncio.get_running_loop())
    cork.flush(a)
    cork.write(a, b"1")
    cork.write(b, b"2")
    cork.flush(a)
    assert said == [("a", b"1")]
    await asyncio.sleep(0)
    assert said == [("a", b"1"), ("b", b"2")]


async def test_the_closed_get_nothing_and_harm_nobody() -> None:
    said, (a, b, c) = peers("a", "b", "c")
    cork = CorkedWrites(asyncio.get_running_loop())
    for one in (a, b, c):
        cork.write(one, b"x")
    a.closed = b.closed = True
    cork.flush(a)
    await asyncio.sleep(0)
    assert said == [("c", b"x")]


async def test_what_is_put_while_it_empties_goes_in_the_next_round() -> None:
    said, (a,) = peers("a")
    cork = CorkedWrites(asyncio.get_running_loop())
    write, a.write = (
        a.write,
        lambda data: (cork.write(a, b"2") if data == b"1" else None, write(data)),
    )
    cork.write(a, b"1")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert said == [("a", b"1"), ("a", b"2")]


async def test_turned_off_it_writes_at_once() -> None:
    said, (a, b) = peers("a", "b")
    before = turn_off([Trick.CORK])
    cork = CorkedWrites(asyncio.get_running_loop())
    turn_off(before)
    cork.write(a, b"1")
    cork.write(b, b"2")
    assert not cork.holds(a)
    cork.flush(a)
    assert said == [("a", b"1"), ("b", b"2")]
    a.closed = True
    cork.write(a, b"3")
    assert said == [("a", b"1"), ("b", b"2")]


async def test_a_write_that_fails_harms_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    said, (a, b) = peers("a", "b")

    def fail(data: bytes) -> None:
        raise RuntimeError("a bug")

    a.write = fail
    cork = CorkedWrites(asyncio.get_running_loop())
    cork.write(a, b"1")
    cork.write(b, b"2")
    await asyncio.sleep(0)
    assert said == [("b", b"2")]
    assert "a message could not be written" in caplog.text
