"""Reads files in threads that are never joined.

An executor's threads are joined when the loop and the interpreter end. A thread that hangs in a
read, of a pipe without a writer or of a mount whose server is gone, would then delay the stop of
the service; and once a pool's few threads hang, every later read would, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["DetachedThreads"]

T = TypeVar("T")

#: Seconds that reading may take; the largest configuration takes 5 s on a slow machine.
_LIMIT_S = 30.0
#: The limit if the next run is already requested: a corrected file need not wait for the faulty
#: one.
_HURRIED_LIMIT_S = 5.0
#: How many reads may hang at the same time, each in a thread of its own.
_MAX_HUNG_THREADS = 8


class DetachedThreads(Generic[T]):
    """Runs one kind of work, each time at most ``limit_s``, or ``hurried_limit_s``."""

    def __init__(
        self, what: str, limit_s: float = _LIMIT_S, hurried_limit_s: float = _HURRIED_LIMIT_S
    ) -> None:
        """``what`` describes the work, such as "reading c.yaml"."""
        self._what = what
        self._limit_s = limit_s
        self._hurried_limit_s = hurried_limit_s
        self._threads: set[threading.Thread] = set()
        #: How long the last run may take.
        self._given_s = limit_s
        self._began = 0.0
        self._limit: asyncio.Timeout | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``. Raises what it raises, and TimeoutError, an OSError, if it takes
        too long; its thread then runs to its end, and the result is dropped."""
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
                raise  # raised by the work itself
            raise TimeoutError(
                f"{self._what} takes more than {self._given_s:g} s: is one of its files a pipe,"
                " or on a mount that hangs?"
            ) from None
        finally:
            self._limit = None

    def hurry(self) -> None:
        """The next run is requested: give the current one less time."""
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
