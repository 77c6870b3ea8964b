"""Who waits for a reply to begin, or to end."""

from __future__ import annotations

import asyncio

__all__ = ["Progress"]


class Progress:
    """One task may wait, for one thing at a time."""

    __slots__ = ("_begun", "_ended", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._begun: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None

    async def wait_begun(self) -> None:
        self._begun = self._loop.create_future()
        await self._begun

    async def wait_ended(self) -> None:
        self._ended = self._loop.create_future()
        await self._ended

    def begin(self) -> None:
        """Something has been sent."""
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    def end(self) -> None:
        self.begin()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
