"""Clients that do not read what has been written to them: a reply of ours, the rest of a relayed
one, or the bytes that a close waits for. While a relay runs, `watch` watches its client.

Unsent bytes are in our memory, and a transport waits for an empty buffer without a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from casedesk_proxy.server.limits import ServerLimits

__all__ = ["Stalls", "Writer"]

#: Checks per limit.
_CHECKS_PER_LIMIT = 4


class Writer(Protocol):
    """A client."""

    @property
    def unsent(self) -> int | None:
        """Bytes that are written and not yet sent; None once it has ended."""

    def reset(self) -> None: ...


class Stalls:
    """Resets connections that have read too little in ``send_timeout``: less than ``min_rate``, or
    nothing. There is one timer for all. ``limits`` are the active ones."""

    __slots__ = ("_limits", "_loop", "_timer", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Callable[[], ServerLimits]) -> None:
        self._loop = loop
        self._limits = limits
        #: How many bytes were unsent, and when.
        self._watched: dict[Writer, tuple[int, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, writer: Writer) -> None:
        """Watch a client until its connection has ended, or `forget`."""
        if (unsent := writer.unsent) is None or writer in self._watched:
            return
        self._watched[writer] = unsent, self._loop.time()
        if self._timer is None:
            self._check_later(self._limits())

    def forget(self, writer: Writer) -> None:
        self._watched.pop(writer, None)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        now, limits = self._loop.time(), self._limits()
        least = max(limits.min_rate * limits.send_timeout, 1)
        for writer, (unsent, since) in list(self._watched.items()):
            if now - since < limits.send_timeout:
                continue
            left = writer.unsent
            if left is not None and unsent - left < least:
                del self._watched[writer]
                writer.reset()
            else:
                self._watched[writer] = left or 0, now
        if self._watched:
            self._check_later(limits)

    def _check_later(self, limits: ServerLimits) -> None:
        self._timer = self._loop.call_later(limits.send_timeout / _CHECKS_PER_LIMIT, self._check)
