"""Lines on stderr: one for each message, in the form that their reader understands.

Under systemd a line starts with its level as ``<N>``, which journald removes (sd-daemon(3)), and
journald adds the time; at a terminal a line starts with clock and level; in a file or pipe with a
full time stamp. JSON, if configured, contains all of these.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.telemetry.logwriter import LogWriter

__all__ = [
    "Destination",
    "LogFormatter",
    "dropped",
    "find_destination",
    "flush",
    "flushed",
    "set_own_formatter",
    "write",
]

#: How long the end of the process waits for the reader of the log.
FLUSH_S = 1.0


class Destination(Enum):
    """What reads stderr."""

    JOURNAL = "journal"
    TERMINAL = "terminal"
    PLAIN = "plain"


_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}
_NAMES = {level: logging.getLevelName(level).lower() for level in _SYSLOG}
_COLOURS = {logging.DEBUG: "2", logging.INFO: "32", logging.WARNING: "33", logging.ERROR: "31"}


def find_destination(environ: Mapping[str, str], descriptor: int = 2) -> Destination:
    """JOURNAL only if the descriptor is the stream that JOURNAL_STREAM names: a service may log
    into a file, and a program that a service starts is not the service."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return Destination.PLAIN
    if environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":
        return Destination.JOURNAL
    return Destination.TERMINAL if os.isatty(descriptor) else Destination.PLAIN


@dataclass(frozen=True, slots=True)
class LogFormatter:
    """``form``: logfmt or json, as configured."""

    form: str = "logfmt"
    destination: Destination = Destination.PLAIN
    colours: bool = False

    def format(self, level: int, text: str) -> bytes:
        """A line for a text message."""
        if self.form == "json":
            return self._finish(level, jsonio.dumps({**self._start(level), "message": text}))
        if self.destination is not Destination.TERMINAL:
            text = text.replace("\r", "\\r").replace("\n", "\\n")
        return self._finish(level, text.encode("utf-8", "backslashreplace"))

    def format_fields(self, level: int, facts: Mapping[str, Any], text: bytes) -> bytes:
        """A line of fields; ``text``: the same fields as logfmt."""
        if self.form == "json":
            text = jsonio.dumps({**self._start(level), **facts})
        return self._finish(level, text)

    def _start(self, level: int) -> dict[str, Any]:
        return {"time": _stamp(), "level": logging.getLevelName(level).lower()}

    def _finish(self, level: int, text: bytes) -> bytes:
        return self._prefix(level).encode() + text + b"\n"

    def _prefix(self, level: int) -> str:
        if self.destination is Destination.JOURNAL:
            return f"<{_SYSLOG.get(level, 2)}>"
        if self.form == "json":
            return ""
        name = _NAMES.get(level) or logging.getLevelName(level).lower()
        if self.destination is Destination.PLAIN:
            return f"{_stamp()} {name} "
        clock = time.strftime("%H:%M:%S")
        if not self.colours:
            return f"{clock} {name:7} "
        return f"\x1b[2m{clock}\x1b[0m \x1b[{_COLOURS.get(level, '31;1')}m{name:7}\x1b[0m "


#: The form of the writer's own messages about lines that it had to drop.
_own_formatter = LogFormatter()


def _format_own(text: str) -> bytes:
    return _own_formatter.format(logging.WARNING, text)


#: One for the process, since stderr is.
_writer = LogWriter(2, _format_own)


def set_own_formatter(lines: LogFormatter) -> None:
    """Set the form of the log's messages about itself."""
    global _own_formatter
    _own_formatter = lines


def write(line: bytes) -> None:
    """Write a line soon, without waiting: may be called from any thread, an event loop's
    included."""
    _writer.write(line)


def dropped() -> int:
    """How many lines were lost: they were not read in time, or could not be written."""
    return _writer.dropped


def flush(within_s: float = FLUSH_S) -> bool:
    """Wait until the lines so far are written, at most so many seconds; return whether they are.
    Called at the process's end, too. An event loop waits with `flushed`."""
    return _writer.flush(within_s)


async def flushed(within_s: float = FLUSH_S) -> None:
    """As `flush`, without blocking the loop."""
    deadline = time.monotonic() + within_s
    while _writer.is_behind and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread's state
        await asyncio.sleep(0.002)


atexit.register(flush)


class _Clock:
    """Time stamps, of which only the milliseconds change within a second."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known = -1, ""

    def stamp(self) -> str:
        milliseconds = time.time_ns() // 1_000_000
        second, rest = divmod(milliseconds, 1000)
        known, prefix = self._known
        if second != known:
            # One assignment: another thread may run this, too.
            prefix = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
            self._known = second, prefix
        return f"{prefix}.{rest:03d}Z"


_stamp = _Clock().stamp
