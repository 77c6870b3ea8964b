"""Writes the log without making any code wait for the log's reader.

stderr may be a pipe whose reader hangs, a stopped terminal, or a file on a slow disk. A write to it
then blocks, and the proxy must not set O_NONBLOCK, since other processes share the open file. So a
thread writes; code that logs hands over a line and does not wait.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

__all__ = ["LogWriter"]

#: The most bytes of lines that wait to be written: some ten thousand lines. Further lines are
#: dropped.
_MAX_WAITING_BYTES = 4 * 1024 * 1024
#: Seconds for which a line waits for others, to share with them a system call and one switch to the
#: writing thread: on a busy server the two would be a tenth of a short exchange's cost. Waking the
#: thread also makes the event loop's thread give up the interpreter for a moment: with 0.01 each of
#: 50 lines a second did so, and the next stream waited for it.
_GATHER_S = 0.05
#: Seconds between two checks at the end of the process whether all is written.
_POLL_S = 0.002


class LogWriter:
    """``dropped`` counts the lines that were lost because too many waited or because they could not
    be written. The log reports that too, once a line can be written again."""

    def __init__(
        self,
        descriptor: int,
        say: Callable[[str], bytes],
        max_waiting_bytes: int = _MAX_WAITING_BYTES,
    ) -> None:
        """``say`` makes a log line of a text message."""
        self.dropped = 0
        self._descriptor = descriptor
        self._say = say
        self._max_waiting_bytes = max_waiting_bytes
        # Reentrant: the garbage collector may run anywhere, and a finaliser may log.
        self._lock = threading.RLock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        #: Signals that some code waits until all is written.
        self._hurry: SimpleQueue[None] = SimpleQueue()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._is_called = False
        self._thread: threading.Thread | None = None
        self._unsaid = 0
        self._why = ""
        self._is_torn = False

    def write(self, line: bytes) -> None:
        """From any thread; never waits and never raises."""
        with self._lock:
            if self._waiting and self._waiting_bytes + len(line) > self._max_waiting_bytes:
                self._drop(1, "the log's reader was too slow")
                return
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            if self._is_called:
                return
            self._is_called = self._has_thread()
        self._bell.put(None)

    def flush(self, within_s: float) -> bool:
        """Wait until all is written, but no longer than that; return whether it is. For the end of
        a process, not for an event loop."""
        deadline = time.monotonic() + within_s
        if self.is_behind:
            self._hurry.put(None)
        while self.is_behind and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return not self.is_behind

    @property
    def is_behind(self) -> bool:
        """Whether lines are left to write."""
        return self._waiting_bytes > 0

    def _has_thread(self) -> bool:
        """Whether the thread runs; it starts with the first line."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No thread can be started now: the lines wait for the next one.
                return False
            self._thread = thread
        return True

    def _drop(self, lines: int, why: str) -> None:
        self.dropped += lines
        self._unsaid += lines
        self._why = why

    def _run(self) -> None:
        while True:
            self._bell.get()
            # No wake-up is needed while lines keep coming.
            while self._write_waiting():
                pass

    def _write_waiting(self) -> bool:
        """Write the lines that arrive within a moment; return whether there were any."""
        with contextlib.suppress(Empty):
            self._hurry.get(timeout=_GATHER_S)
        with self._lock:
            lines, self._waiting = self._waiting, []
            if not lines:
                self._is_called = False
                return False
        data = b"".join(lines)
        if self._put_out(data) and self._unsaid:
            self._report_dropped()
        # They count until here: a batch that hangs uses memory, too.
        with self._lock:
            self._waiting_bytes -= len(data)
        return True

    def _report_dropped(self) -> None:
        with self._lock:
            count, why, self._unsaid = self._unsaid, self._why, 0
        plural = "line was" if count == 1 else "lines were"
        self._put_out(self._say(f"{count} log {plural} dropped: {why}"))

    def _put_out(self, data: bytes) -> bool:
        """Return whether all of it was written; the rest is dropped."""
        if self._is_torn:
            data = b"\n" + data
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Another process that shares the open file has set O_NONBLOCK.
                with contextlib.suppress(OSError, ValueError):
                    select.select([], [self._descriptor], [])
            except OSError as error:
                lost = bytes(rest).count(b"\n") - (self._is_torn and len(rest) == len(data))
                with self._lock:
                    self._drop(lost, f"the log cannot be written: {error.strerror}")
                # A line that was written only in part gets a line end before the next one.
                self._is_torn = self._is_torn or len(rest) < len(data)
                return False
        self._is_torn = False
        return True
