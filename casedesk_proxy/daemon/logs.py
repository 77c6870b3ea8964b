"""What is not an exchange is logged in words: levels, one line each, repetition held back."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from casedesk_proxy.telemetry.lines import Lines, Place, find_place, speak_as, write

__all__ = ["Log", "Repetition", "start_log"]

python = logging.getLogger("python")

#: So many lines of one kind are written within so many seconds; the rest is counted.
_BURST = 10
_WINDOW = 10.0
#: Kinds that are remembered. Formats are written in our source, so there are few.
_MAX_KINDS = 256


class Log(logging.Handler):
    """``lines`` may be replaced while running."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self.lines = lines
        self.repetition = Repetition()
        self.addFilter(self.repetition)

    def emit(self, record: logging.LogRecord) -> None:
        write(self.lines.render(record.levelno, self.format(record)))

    def configure(self, form: str, level: str) -> None:
        """As the configuration says; also while running."""
        self.lines = Lines(form, self.lines.place, self.lines.colours)
        speak_as(self.lines)
        logging.getLogger().setLevel(level.upper())

    def tell_held(self, now: float) -> None:
        """Say what has been held back by kinds whose window is over; ``now`` as time.time."""
        for record, count in self.repetition.take_held(now):
            told = f"{record.getMessage()} (and {count} more like it)"
            write(self.lines.render(record.levelno, told))


@dataclass(slots=True)
class _Kind:
    since: float
    written: int = 0
    held: int = 0
    last: logging.LogRecord | None = None


class Repetition(logging.Filter):
    """Holds back what a broken node or client makes us say over and over. Lines are of one kind
    when they come from the same place with the same format and level."""

    def __init__(self, burst: int = _BURST, window: float = _WINDOW) -> None:
        super().__init__()
        self._burst = burst
        self._window = window
        self._kinds: dict[tuple[str, int, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, str(record.msg))
        kind = self._kinds.get(key)
        if kind is None or (not kind.held and record.created - kind.since >= self._window):
            if len(self._kinds) >= _MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
            kind = self._kinds[key] = _Kind(record.created)
        kind.written += 1
        if kind.written <= self._burst:
            return True
        kind.held += 1
        kind.last = record
        return False

    def take_held(self, now: float) -> list[tuple[logging.LogRecord, int]]:
        """The last record and the number of those that were held back; they are then forgotten."""
        over = [key for key, kind in self._kinds.items() if now - kind.since >= self._window]
        kinds = [self._kinds.pop(key) for key in over]
        return [(kind.last, kind.held) for kind in kinds if kind.last is not None]


def start_log(form: str, level: str, environ: Mapping[str, str] = os.environ) -> Log:
    """Everything that this process logs from now on."""
    place = find_place(environ)
    colours = place is Place.TERMINAL and not environ.get("NO_COLOR")
    log = Log(Lines(form, place, colours))
    logging.getLogger().addHandler(log)
    log.configure(form, level)
    _log_what_python_prints()
    return log


def _log_what_python_prints() -> None:
    """Python prints some things to stderr, and waits until they are written."""
    logging.captureWarnings(True)

    def unraisable(told: sys.UnraisableHookArgs) -> None:
        what = getattr(told.object, "__qualname__", type(told.object).__qualname__)
        python.error(
            "%s: %s", told.err_msg or "exception ignored in", what,
            exc_info=(told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback),
        )  # fmt: skip

    def ended(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            name = told.thread.name if told.thread is not None else "?"
            python.error("thread %s failed", name, exc_info=told.exc_value)

    sys.unraisablehook = unraisable
    threading.excepthook = ended
