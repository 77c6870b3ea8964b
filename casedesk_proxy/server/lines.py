"""Lines on stderr: one for each thing told, in the form that their reader understands.

Under systemd a line starts with its level as ``<N>``, which journald takes off again
(sd-daemon(3)) and to which it adds the time; a person at a terminal sees clock and level; into a
file or pipe goes a full time stamp. JSON, where it is asked for, carries all of it inside.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from casedesk_proxy import jsonio

__all__ = ["Lines", "Place", "find_place", "write"]


class Place(Enum):
    """Who reads stderr."""

    JOURNAL = "journal"
    TERMINAL = "terminal"
    PLAIN = "plain"


_SYSLOG = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}
_COLOURS = {logging.DEBUG: "2", logging.INFO: "32", logging.WARNING: "33", logging.ERROR: "31"}


def find_place(environ: Mapping[str, str], descriptor: int = 2) -> Place:
    """JOURNAL only when the descriptor is the very stream that JOURNAL_STREAM names: a service
    may have been told to log into a file, and a program started by one is not the service."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return Place.PLAIN
    if environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":
        return Place.JOURNAL
    return Place.TERMINAL if os.isatty(descriptor) else Place.PLAIN


@dataclass(frozen=True, slots=True)
class Lines:
    """``form``: logfmt or json, as configured."""

    form: str = "logfmt"
    place: Place = Place.PLAIN
    colours: bool = False

    def render(self, level: int, text: str) -> bytes:
        """A line for what is told in words."""
        if self.form == "json":
            return self._finish(level, jsonio.dumps({**self._start(level), "message": text}))
        if self.place is not Place.TERMINAL:
            text = text.replace("\r", "\\r").replace("\n", "\\n")
        return self._finish(level, text.encode("utf-8", "backslashreplace"))

    def render_facts(self, level: int, facts: Mapping[str, Any], text: bytes) -> bytes:
        """A line for what is told in fields; ``text``: the same as logfmt."""
        if self.form == "json":
            text = jsonio.dumps({**self._start(level), **facts})
        return self._finish(level, text)

    def _start(self, level: int) -> dict[str, Any]:
        return {"time": _stamp(), "level": logging.getLevelName(level).lower()}

    def _finish(self, level: int, text: bytes) -> bytes:
        return self._prefix(level).encode() + text + b"\n"

    def _prefix(self, level: int) -> str:
        if self.place is Place.JOURNAL:
            return f"<{_SYSLOG.get(level, 2)}>"
        if self.form == "json":
            return ""
        name = logging.getLevelName(level).lower()
        if self.place is Place.PLAIN:
            return f"{_stamp()} {name} "
        clock = time.strftime("%H:%M:%S")
        if not self.colours:
            return f"{clock} {name:7} "
        return f"\x1b[2m{clock}\x1b[0m \x1b[{_COLOURS.get(level, '31;1')}m{name:7}\x1b[0m "


def write(line: bytes) -> None:
    """One system call a line. A log that cannot be written must not end an exchange."""
    try:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
    except (OSError, ValueError):
        pass


def _stamp() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
