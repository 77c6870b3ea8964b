"""A request's body on its way to a disk: in pieces, in a thread, and never held as a whole.

What has come waits in memory while a thread writes what came before, up to a bound; then nothing
more is read from the client. So a body of any size costs that bound and one read. A client that
sends too slowly is let go of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.fastpath.fibers import Signal
from casedesk_proxy.relay.request import TIMEOUT_GRACE_S, ClientRequest, too_slow

__all__ = ["BodyReceiver", "ContentParser", "RawContent"]

#: Bytes that wait for the disk, those that are being written included.
_HELD_BYTES = 2**20


class ContentParser(Protocol):
    """Finds the content in a body."""

    def feed(self, data: bytes) -> list[bytes]:
        """Raises ProxyError."""


class RawContent:
    """The body is the content, but for its first ``skip`` bytes."""

    def __init__(self, skip: int = 0) -> None:
        self._skip = skip

    def feed(self, data: bytes) -> list[bytes]:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        return [data] if data else []


class BodyReceiver:
    """See `relay.parties.Sink`. ``write`` begins to write pieces and says when that is done;
    ``pause``: seconds in which the client has to send ``least`` bytes."""

    __slots__ = (
        "_counted", "_error", "_held", "_is_writing", "_least", "_loop", "_parser", "_pause",
        "_request", "_signal", "_timer", "_waiting", "_write", "has_ended", "received",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: ClientRequest,
        parser: ContentParser,
        write: Callable[[list[bytes]], asyncio.Future[None]],
        *,
        pause: float,
        least: float,
    ) -> None:
        self._loop = loop
        self._request = request
        self._parser = parser
        self._write = write
        self._pause = pause
        self._least = least
        self._waiting: list[bytes] = []
        self._held = 0
        self._is_writing = False
        self._error: BaseException | None = None
        self._signal: Signal[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._counted = 0
        self.received = 0
        self.has_ended = False

    async def run(self) -> None:
        """Until all of the body is on the disk. Raises ProxyError, and what ``write`` does."""
        self._signal = signal = Signal[None](self._loop)
        self._watch()
        try:
            self._request.pour(self, 0)
            self.wake(None)
            await signal
        finally:
            self._signal = None
            self._stop_timer()
            self._request.stop_pouring()
            self._waiting.clear()

    def give_way(self, error: ProxyError) -> None:
        """Somebody else goes on. The last thing that a caller does."""
        self._error = error
        self.wake(None)

    # What the request calls.

    @property
    def wants(self) -> bool:
        return self._held < _HELD_BYTES and self._error is None

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

    def wake(self, fault: ProxyError | None) -> None:
        signal, error = self._signal, self._error or fault
        if signal is None or signal.done:
            return
        if error is not None:
            # What is being written is not waited for: whoever lets go of the disk does.
            signal.fail(error)
        elif self.has_ended and not self._held:
            signal.set(None)

    # The disk.

    def _write_on(self) -> None:
        if self._is_writing or not self._waiting or self._error is not None:
            return
        pieces, self._waiting = self._waiting, []
        self._is_writing = True
        size = sum(map(len, pieces))
        self._write(pieces).add_done_callback(lambda done: self._written(done, size))

    def _written(self, done: asyncio.Future[None], size: int) -> None:
        self._is_writing = False
        self._held -= size
        if not done.cancelled() and (error := done.exception()) is not None:
            self._error = self._error or error.with_traceback(None)
        if self._signal is None:
            return
        self._write_on()
        self._request.client.listen()
        self.wake(None)

    # Patience.

    def _watch(self) -> None:
        self._counted = self.received
        self._timer = self._loop.call_later(self._pause, self._doubt)

    def _doubt(self) -> None:
        # What it sent in time may have yet to be read.
        self._timer = self._loop.call_later(TIMEOUT_GRACE_S, self._judge)

    def _judge(self) -> None:
        # While the disk is slow the client has to wait, not we for it.
        if self.received - self._counted >= self._least or self._held or self.has_ended:
            self._watch()
        else:
            self.give_way(too_slow())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
