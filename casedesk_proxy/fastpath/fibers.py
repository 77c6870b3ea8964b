"""Coroutines that run immediately: a Fiber is started, and resumed by a OneShot, inside the call
that does it, while asyncio's tasks and futures wait for the loop's next round.

A short exchange waits only once, for its node's head. A task, a future and their two rounds of the
loop cost 7 µs, a twentieth of the whole exchange; a fiber's start and a one-shot cost 1 µs (CPython
3.11 with uvloop), and what is cancelled when a client leaves is closed before ``connection_lost``
returns. Eager tasks (Python 3.12) start immediately, but are resumed by the loop.

Inside a fiber there is no current task, which ``asyncio.timeout``, ``wait_for`` and aiohttp need.
Run them in a task of their own and await that; cancelling the fiber cancels what it awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, Protocol, TypeVar, cast

from casedesk_proxy.fastpath.switches import Trick, is_on

__all__ = ["Fiber", "OneShot", "Run", "make_run"]

T = TypeVar("T")


class OneShot(Generic[T]):
    """One value or error for one waiter, which continues inside ``set`` or ``fail`` if it is a
    fiber.

    So call these last: the waiter may do anything, such as sending the next request on the same
    connection. Setting twice is an error; without a waiter the value is kept. An error is dropped
    when it is raised, so a failed one-shot can be awaited once.

    The driver of the coroutine becomes the waiter: `await` passes the one-shot itself up to it. A
    fiber registers itself as the waiter; for an asyncio task, eager or not, a one-shot is like a
    future (`asyncio.isfuture`), and the task waits for the loop's next round. So a task that runs
    inside a fiber's step, or a fiber inside a task's, gets the value that it awaits itself.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_error",
        "_is_left",
        "_loop",
        "_value",
        "_waiter",
        "done",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: Fiber[Any] | _Wakeup | None = None
        self._value: T | None = None
        self._error: BaseException | None = None
        #: Whether the waiting task was cancelled and has not been notified yet.
        self._is_left = False
        #: asyncio's mark for "wait for me"; None: this is not like a future now.
        self._asyncio_future_blocking: bool | None = None
        self.done = False

    def set(self, value: T) -> None:
        assert not self.done
        self.done, self._value = True, value
        self._wake()

    def fail(self, error: BaseException) -> None:
        assert not self.done
        self.done, self._error = True, error
        # Its traceback will hold the frame that waits and all frames below it, this one included.
        del error
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if isinstance(waiter, Fiber):
            waiter.resume()
        elif waiter is not None:
            waiter.call(self._loop, self)

    def __await__(self) -> Generator[Any, None, T]:
        if not self.done:
            self._asyncio_future_blocking = True
            yield self
            self._asyncio_future_blocking = None
        error, self._error = self._error, None
        if error is None:
            return cast(T, self._value)
        try:
            raise error
        finally:
            # Its traceback holds this frame, and with it this object.
            del error

    # Called by a waiting fiber.

    def wake(self, fiber: Fiber[Any]) -> None:
        """Resume the fiber when there is a value or an error."""
        self._waiter = fiber

    def forget(self) -> None:
        """Resume no fiber: the one that waited has been cancelled."""
        self._waiter = None

    # Called by asyncio's tasks.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Any], None], *, context: Context | None = None
    ) -> None:
        self._waiter = _Wakeup(callback, context)

    def cancel(self, msg: object = None) -> bool:
        """Stop the wait; False if the waiter is already being resumed."""
        waiter, self._waiter = self._waiter, None
        if not isinstance(waiter, _Wakeup):
            return False
        self._is_left = True
        waiter.call(self._loop, self)
        return True

    def result(self) -> None:
        """Whether the task continues; ``await`` returns what the one-shot holds."""
        if self._is_left:
            self._is_left = False
            raise asyncio.CancelledError


class _Wakeup:
    """How to resume a task."""

    __slots__ = ("_callback", "_context")

    def __init__(self, callback: Callable[[Any], None], context: Context | None) -> None:
        self._callback = callback
        self._context = context

    def call(self, loop: asyncio.AbstractEventLoop, one_shot: OneShot[Any]) -> None:
        loop.call_soon(self._callback, one_shot, context=self._context)


class Run(Protocol):
    """A running coroutine."""

    def start(self) -> None: ...

    def cancel(self) -> None:
        """Raise CancelledError at the point where it waits."""


def make_run(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, None, T],
    finished: Callable[[T | None], None],
) -> Run:
    """A run that is not started yet. ``finished`` is called once, at its end, with the result of
    ``work``; with None if it was cancelled or failed. An uncaught error goes to the loop's
    handler."""
    made = Fiber if is_on(Trick.FIBERS) else _TaskRun
    return made(loop, work, finished)


class Fiber(Generic[T]):
    """Runs ``work`` until it first waits, then each time that the awaited value arrives. See
    `make_run`."""

    __slots__ = ("_awaited", "_cancelled", "_finished", "_loop", "_work", "ended")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, None, T],
        finished: Callable[[T | None], None],
    ) -> None:
        self._loop = loop
        self._work = work
        self._finished = finished
        self._awaited: OneShot[Any] | asyncio.Future[Any] | None = None
        self._cancelled = False
        self.ended = False

    def start(self) -> None:
        self._step(None)

    def resume(self) -> None:
        """Continue: what it waited for has arrived."""
        self._awaited = None
        self._step(None)

    def cancel(self) -> None:
        """Raise CancelledError where it waits: now, unless a future must be cancelled first."""
        if self.ended:
            return
        if isinstance(self._awaited, OneShot):
            self._awaited.forget()
            self._awaited = None
            self._step(asyncio.CancelledError())
        elif self._awaited is None or not self._awaited.cancel():
            # It runs now, or is about to: it ends at its next wait.
            self._cancelled = True

    def _step(self, error: BaseException | None) -> None:
        try:
            awaited = self._work.send(None) if error is None else self._work.throw(error)
        except StopIteration as stop:
            self._end(stop.value)
        except asyncio.CancelledError:
            self._end(None)
        except Exception as fault:
            self._end(None)
            _report(self._loop, fault)
        else:
            self._wait_for(awaited)
        finally:
            # Its traceback holds this frame.
            error = None

    def _wait_for(self, awaited: Any) -> None:
        if isinstance(awaited, OneShot):
            if self._cancelled:
                self._cancelled = False
                self._step(asyncio.CancelledError())
                return
            self._awaited = awaited
            awaited.wake(self)
            return
        if awaited is None:  # asyncio.sleep(0)
            self._loop.call_soon(self._go_on)
        else:
            awaited._asyncio_future_blocking = False
            self._awaited = awaited
            awaited.add_done_callback(self._go_on)
        if self._cancelled:
            self._cancelled = False
            self.cancel()

    def _go_on(self, awaited: object = None) -> None:
        # A task that failed has an error whose traceback will hold this frame.
        del awaited
        if self._cancelled:
            self._cancelled, self._awaited = False, None
            self._step(asyncio.CancelledError())
        else:
            # A future that was cancelled or failed raises inside, when its result is read.
            self.resume()

    def _end(self, result: T | None) -> None:
        self.ended = True
        self._finished(result)


class _TaskRun(Generic[T]):
    """The same with an asyncio task."""

    __slots__ = ("_cancelled", "_finished", "_loop", "_task", "_work")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, None, T],
        finished: Callable[[T | None], None],
    ) -> None:
        self._loop = loop
        self._work: Coroutine[Any, None, T] | None = work
        self._finished = finished
        self._task: asyncio.Task[T] | None = None
        self._cancelled = False

    def start(self) -> None:
        self._task = self._loop.create_task(self._drive())
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        if self._work is not None:
            # A task that is cancelled before its first step never runs; a fiber has begun by now.
            self._cancelled = True
        elif self._task is not None:
            self._task.cancel()

    async def _drive(self) -> T:
        work, self._work = self._work, None
        assert work is not None
        assert self._task is not None
        if self._cancelled:
            self._task.cancel()
        return await work

    def _end(self, task: asyncio.Task[T]) -> None:
        self._task = None
        fault = None if task.cancelled() else task.exception()
        self._finished(None if fault is not None or task.cancelled() else task.result())
        if fault is not None:
            _report(self._loop, fault)


def _report(loop: asyncio.AbstractEventLoop, fault: BaseException) -> None:
    loop.call_exception_handler({"message": "a fiber failed", "exception": fault})
