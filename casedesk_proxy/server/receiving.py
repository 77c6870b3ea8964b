"""A request's body on its way to a disk: in pieces, in a thread, and never held as a whole.

Arriving bytes wait in memory, up to a limit; then the client is not read. So a body of any size
costs that limit and one read. A thread gets half of the limit at a time, since handing over costs
as much as writing some 50 KB, or less if the client pauses. A client that sends too slowly is
closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.relay.body_faults import too_slow
from casedesk_proxy.relay.pace import Pace, PaceTimer
from casedesk_proxy.relay.request import ClientRequest

__all__ = ["BodyReceiver", "ContentParser", "RawContent"]

#: Bytes that wait for the disk, those being written included; and their number of pieces, each of
#: which costs memory besides its bytes.
_HELD_BYTES, _HELD_PIECES_COUNT = 2**20, 256
#: What a thread gets at a time, unless no more arrives.
_BATCH_BYTES, _BATCH_PIECES_COUNT = _HELD_BYTES // 2, _HELD_PIECES_COUNT // 2
#: Seconds for which bytes wait for more of them.
_GATHER_S = 0.05


class ContentParser(Protocol):
    """Finds the content in a body."""

    def feed(self, data: bytes) -> list[bytes]:
        """Raises ProxyError."""


class RawContent:
    """The body is the content, without its first ``skip`` bytes."""

    def __init__(self, skip: int = 0) -> None:
        self._skip = skip

    def feed(self, data: bytes) -> list[bytes]:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        return [data] if data else []


class BodyReceiver:
    """See `relay.parties.Sink`. ``write`` begins to write pieces, and its result is set when they
    are written. The client must send at ``pace``; bytes wait ``gather_s`` for more of them."""

    __slots__ = (
        "_due", "_error", "_gather_s", "_held", "_is_due", "_is_writing", "_loop", "_one_shot",
        "_pace_timer", "_parser", "_request", "_waiting", "_write", "_written", "has_ended",
        "received",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: ClientRequest,
        parser: ContentParser,
        write: Callable[[list[bytes]], asyncio.Future[None]],
        pace: Pace,
        *,
        gather_s: float = _GATHER_S,
    ) -> None:
        self._loop = loop
        self._request = request
        self._parser = parser
        self._write = write
        self._pace_timer = PaceTimer(loop, pace)
        self._gather_s = gather_s
        self._waiting: list[bytes] = []
        #: Bytes that wait or are being written, and those of them that are being written.
        self._held = self._written = 0
        self._due: asyncio.TimerHandle | None = None
        self._is_due = self._is_writing = False
        self._error: BaseException | None = None
        self._one_shot: OneShot[None] | None = None
        self.received = 0
        self.has_ended = False

    async def run(self) -> None:
        """Receive until all of the body is on the disk. Raises ProxyError, and the errors of
        ``write``."""
        self._one_shot = one_shot = OneShot[None](self._loop)
        self._pace_timer.start(self)
        try:
            self._request.pour(self, 0)
            self.wake(None)
            await one_shot
        finally:
            self._one_shot = None
            self._stop_timers()
            self._request.stop_pouring()
            self._waiting.clear()

    def give_way(self, error: ProxyError) -> None:
        """End ``run`` with ``error``. Callers must do this last."""
        self._error = error
        self.wake(None)

    # Called by the request.

    @property
    def wants(self) -> bool:
        has_room = self._held < _HELD_BYTES and len(self._waiting) < _HELD_PIECES_COUNT
        return has_room and self._error is None

    def take(self, payload: bytes) -> None:
        self.received += len(payload)
        if self._error is not None:
            return
        try:
            pieces = self._parser.feed(payload)
        except ProxyError as error:
            self._error = error.with_traceback(None)
            return
        self._waiting += pieces
        self._held += sum(map(len, pieces))
        self._write_on()

    def finish(self) -> None:
        self.has_ended = True
        self._write_on()

    def wake(self, fault: ProxyError | None) -> None:
        one_shot, error = self._one_shot, self._error or fault
        if one_shot is None or one_shot.done:
            return
        if error is not None:
            # What is being written is not awaited here: the code that releases the disk does that.
            one_shot.fail(error)
        elif self.has_ended and not self._held:
            one_shot.set(None)

    # The disk.

    def _write_on(self) -> None:
        if self._is_writing or not self._waiting or self._error is not None:
            return
        if not self._is_worth_it():
            if self._due is None:
                self._due = self._loop.call_later(self._gather_s, self._come_due)
            return
        if self._due is not None:
            self._due.cancel()
        self._due, self._is_due, self._is_writing = None, False, True
        pieces, self._waiting = self._waiting, []
        self._written = self._held
        self._write(pieces).add_done_callback(self._note_written)

    def _is_worth_it(self) -> bool:
        """Whether to hand over what waits, while nothing is being written."""
        is_batch = self._held >= _BATCH_BYTES or len(self._waiting) >= _BATCH_PIECES_COUNT
        return is_batch or self.has_ended or self._is_due

    def _come_due(self) -> None:
        self._due, self._is_due = None, True
        self._write_on()

    def _note_written(self, done: asyncio.Future[None]) -> None:
        self._is_writing = False
        self._held -= self._written
        if not done.cancelled() and (error := done.exception()) is not None:
            self._error = self._error or error.with_traceback(None)
        if self._one_shot is None:
            return
        self._write_on()
        self._request.client.read_more()
        self.wake(None)

    # Timeouts.

    def give_up(self) -> None:
        """Called by the `PaceTimer`."""
        if self._held or self.has_ended:
            # The disk is slow, and the client waits for us.
            self._pace_timer.start(self)
        else:
            self.give_way(too_slow())

    def _stop_timers(self) -> None:
        self._pace_timer.stop()
        if self._due is not None:
            self._due.cancel()
            self._due = None
