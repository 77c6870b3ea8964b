"""Reads files in threads that nobody has to wait for.

An executor's threads are joined when the loop and the interpreter end. One that hangs in a read,
of a pipe that nobody writes to or of a mount whose server is gone, would then hold up the stop of
the service; and with a pool's few threads taken, every later read.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["DetachedThreads"]

T = TypeVar("T")

#: How long files may take; the largest configuration takes 5 s on a slow machine.
_LIMIT_S = 30.0
#: And where somebody waits for the next one: a file that has been put right need not wait for the
#: wrong one.
_HURRIED_LIMIT_S = 5.0
#: Reads that hang at the same time, each with a thread of its own.
_MAX_HUNG_THREADS = 8


class DetachedThreads(Generic[T]):
    """Runs one kind of work, ``limit_s`` seconds at most each time, or ``hurried_limit_s``."""

    def __init__(
        self, what: str, limit_s: float = _LIMIT_S, hurried_limit_s: float = _HURRIED_LIMIT_S
    ) -> None:
        """``what`` is being done: "reading c.yaml"."""
        self._what = what
        self._limit_s = limit_s
        self._hurried_limit_s = hurried_limit_s
        self._threads: set[threading.Thread] = set()
        #: Of the last run, how long it may take.
        self._given_s = limit_s
        self._began = 0.0
        self._limit: asyncio.Timeout | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises. Raises TimeoutError, an OSError, when it takes too
        long; its thread then runs to its end, and the result is thrown away."""
        self._threads = {one for one in self._threads if one.is_alive()}
        if len(self._threads) >= _MAX_HUNG_THREADS:
            raise TimeoutError(
                f"{self._what} has hung {_MAX_HUNG_THREADS} times; waiting for one to end"
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(
            target=_run, args=(loop, done, work), name=self._what, daemon=True
        )
        self._threads.add(thread)
        thread.start()
        self._began, self._given_s = loop.time(), self._limit_s
        try:
            async with asyncio.timeout(self._limit_s) as self._limit:
                return await done
        except TimeoutError:
            if done.done() and not done.cancelled():
                raise  # the work's own
            raise TimeoutError(
                f"{self._what} takes more than {self._given_s:g} s: is one of its files a pipe,"
                " or on a mount that hangs?"
            ) from None
        finally:
            self._limit = None

    def hurry(self) -> None:
        """Somebody waits for the next run: less time for the one that is under way."""
        if self._limit is not None and not self._limit.expired():
            self._given_s = min(self._given_s, self._hurried_limit_s)
            self._limit.reschedule(self._began + self._given_s)


def _run(loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:
        _hand_over(loop, done, lambda failure=error: done.set_exception(failure))  # type: ignore[misc]
    else:
        _hand_over(loop, done, lambda: done.set_result(result))


def _hand_over(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], resolve: Callable[[], None]
) -> None:
    with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
        loop.call_soon_threadsafe(lambda: None if done.done() else resolve())
