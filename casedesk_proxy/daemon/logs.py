"""Log messages other than exchanges: levels, one line each, repetition suppressed."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from casedesk_proxy.telemetry.log_output import (
    Destination,
    LogFormatter,
    find_destination,
    set_own_formatter,
    write,
)

__all__ = ["LogHandler", "RepetitionFilter", "start_log"]

python = logging.getLogger("python")

#: So many lines of one kind are written in a window of so many seconds; further ones are counted.
_MAX_BURST_LINES = 10
_WINDOW_S = 10.0
#: How many kinds are remembered. Formats are in our source, so there are few.
_MAX_KINDS = 256


class LogHandler(logging.Handler):
    """``line_formatter`` may be replaced while running."""

    def __init__(self, line_formatter: LogFormatter) -> None:
        super().__init__()
        self.line_formatter = line_formatter
        self.repetition = RepetitionFilter()
        self.addFilter(self.repetition)

    def emit(self, record: logging.LogRecord) -> None:
        write(self.line_formatter.format(record.levelno, self.format(record)))

    def configure(self, form: str, level: str) -> None:
        """Apply the configuration; also while running."""
        self.line_formatter = LogFormatter(
            form, self.line_formatter.destination, self.line_formatter.colours
        )
        set_own_formatter(self.line_formatter)
        logging.getLogger().setLevel(level.upper())

    def log_suppressed(self, now: float) -> None:
        """Log how many lines of kinds were suppressed whose window is over; ``now`` as
        time.time."""
        for record, count in self.repetition.take_suppressed(now):
            message = f"{record.getMessage()} (and {count} more like it)"
            write(self.line_formatter.format(record.levelno, message))


@dataclass(slots=True)
class _Kind:
    since: float
    written: int = 0
    suppressed: int = 0
    last: logging.LogRecord | None = None


class RepetitionFilter(logging.Filter):
    """Suppresses lines that a broken node or client causes again and again. Lines are of one kind
    if they come from the same place with the same format and level."""

    def __init__(self, burst: int = _MAX_BURST_LINES, window_s: float = _WINDOW_S) -> None:
        super().__init__()
        self._burst = burst
        self._window_s = window_s
        self._kinds: dict[tuple[str, int, str], _Kind] = {}
        # Every thread logs, and filters are called outside of their handler's lock. Reentrant: the
        # garbage collector may run anywhere, and a finaliser may log.
        self._lock = threading.RLock()

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, str(record.msg))
        with self._lock:
            return self._note(key, record)

    def _note(self, key: tuple[str, int, str], record: logging.LogRecord) -> bool:
        kind = self._kinds.get(key)
        if kind is None or (not kind.suppressed and record.created - kind.since >= self._window_s):
            if len(self._kinds) >= _MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
            kind = self._kinds[key] = _Kind(record.created)
        kind.written += 1
        if kind.written <= self._burst:
            return True
        kind.suppressed += 1
        kind.last = record
        return False

    def take_suppressed(self, now: float) -> list[tuple[logging.LogRecord, int]]:
        """For each kind whose window is over: the last suppressed record and their number. They are
        then dropped."""
        with self._lock:
            known = list(self._kinds)
            over = [key for key in known if now - self._kinds[key].since >= self._window_s]
            kinds = [self._kinds.pop(key) for key in over]
        return [(kind.last, kind.suppressed) for kind in kinds if kind.last is not None]


def start_log(form: str, level: str, environ: Mapping[str, str] = os.environ) -> LogHandler:
    """Start logging for everything in this process."""
    destination = find_destination(environ)
    colours = destination is Destination.TERMINAL and not environ.get("NO_COLOR")
    log = LogHandler(LogFormatter(form, destination, colours))
    logging.getLogger().addHandler(log)
    log.configure(form, level)
    _log_what_python_prints()
    return log


def _log_what_python_prints() -> None:
    """Python prints some messages to stderr directly, and waits until they are written."""
    logging.captureWarnings(True)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        what = getattr(args.object, "__qualname__", type(args.object).__qualname__)
        python.error(
            "%s: %s", args.err_msg or "exception ignored in", what,
            exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback),
        )  # fmt: skip

    def ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = args.thread.name if args.thread is not None else "?"
            python.error("thread %s failed", name, exc_info=args.exc_value)

    sys.unraisablehook = unraisable
    threading.excepthook = ended
