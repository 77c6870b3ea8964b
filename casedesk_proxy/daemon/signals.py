"""What signals do, from the first line of a command to the interpreter's end.

The event loop's handlers exist only while it does. Before and after it, a signal's default ended
the process: a reload that came during a long start, and the second of two SIGTERM after the last
stream, which a service manager takes for a failure. A container's first process has no defaults:
there SIGTERM waits as well, until the loop runs.

                    starting        serving             stopping             ended
 SIGTERM, SIGINT    ends it         drains              ends streams         nothing
 SIGHUP             waits           reloads             nothing              nothing
 SIGUSR2            waits           starts a successor  nothing              nothing
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Signals"]


class Signals:
    """One for a process. All methods belong in its main thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._actions: dict[int, Callable[[], None]] = {}
        #: Those that have come and have no action yet.
        self._waiting: set[int] = set()
        self._held: set[int] = set()

    def hold(self, *numbers: int) -> None:
        """They wait for `answer`."""
        for number in numbers:
            self._held.add(number)
            signal.signal(number, self._take)

    def answer(
        self, number: int, action: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Call ``action`` in the loop, which runs; also for a signal that waits."""
        self._loop = loop
        self._actions[number] = action
        self.hold(number)
        if number in self._waiting:
            self._waiting.discard(number)
            loop.call_soon(self._act, number)

    def drop(self, *numbers: int) -> None:
        """They do nothing from now on, nor do those that came in this round of the loop."""
        for number in numbers:
            self._actions[number] = _do_nothing

    def ignore_all(self) -> None:
        """The process ends. The interpreter's end restores the defaults of signals that Python
        handles, but not of ignored ones."""
        for number in self._held:
            signal.signal(number, signal.SIG_IGN)

    def _take(self, number: int, _: FrameType | None) -> None:
        """Called between any two instructions of the main thread."""
        if self._loop is not None and number in self._actions:
            self._loop.call_soon_threadsafe(self._act, number)
        else:
            self._waiting.add(number)

    def _act(self, number: int) -> None:
        self._actions[number]()


def _do_nothing() -> None:
    pass
