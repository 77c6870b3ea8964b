"""Lets a task wait for a reply to begin, or to end."""

from __future__ import annotations

import asyncio

from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.turns import Turns

__all__ = ["Progress"]


class Progress:
    """One task may wait, for one thing at a time; after the end it continues when its turn
    comes."""

    __slots__ = ("_begun", "_ended", "_loop", "_turns")

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        self._loop = loop
        self._turns = turns
        self._begun: asyncio.Future[None] | None = None
        self._ended: OneShot[None] | None = None

    async def wait_begun(self) -> None:
        self._begun = self._loop.create_future()
        await self._begun

    async def wait_ended(self) -> None:
        self._ended = OneShot(self._loop)
        await self._ended

    def begin(self) -> None:
        """Note that something has been sent."""
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    def end(self) -> None:
        self.begin()
        if self._ended is not None:
            self._turns.add(self._wake)

    def _wake(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.set(None)
