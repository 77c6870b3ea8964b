"""Single key presses, without Enter: a terminal in cbreak mode, restored at the end."""

from __future__ import annotations

import os
import re
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["KeyPresses", "split_keys"]

_NAMES = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1bOA": "up", "\x1bOB": "down",
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x1b": "escape",
}  # fmt: skip
#: The sequence of a key with more than one character; else one character.
_KEY = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
_MAX_READ_BYTES = 1024


def split_keys(text: str) -> list[str]:
    """The names of keys that have one, printable characters, and nothing for all others."""
    found = (_NAMES.get(one, one) for one in _KEY.findall(text))
    return [one for one in found if one in _NAMES.values() or (len(one) == 1 and one.isprintable())]


class KeyPresses:
    """The keys of the terminal behind a file descriptor."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = termios.tcgetattr(self._terminal)
        tty.setcbreak(self._terminal)
        try:
            yield
        finally:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, before)

    def wait(self, timeout_s: float) -> list[str]:
        """The keys that are pressed within so many seconds; [] for none. If the terminal ends, it
        is q."""
        ready, _, _ = select.select([self._terminal], [], [], timeout_s)
        if not ready:
            return []
        read = os.read(self._terminal, _MAX_READ_BYTES)
        return split_keys(read.decode(errors="ignore")) if read else ["q"]
