"""A terminal of 80 × 24 in tmux, which is installed if it is missing."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.installation import find_debian
from tests.fixtures.patience import PATIENCE_S

__all__ = ["Terminal", "terminal"]

_ENDED = "ended with "


class Terminal:
    """A program's screen in tmux, and a keyboard for it. ``folder`` has tmux's socket."""

    def __init__(
        self, folder: Path, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        program = find_debian("tmux", "tmux")
        self._tmux = [program, "-u", "-f", "/dev/null", "-S", str(folder / "tmux")]
        given = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
        self._run(
            "new-session", "-d", "-x", "80", "-y", "24", *given,
            f"{shlex.join(command)}; echo {_ENDED}$?; exec sleep infinity",
            ";", "set-option", "status", "off",
        )  # fmt: skip

    def press(self, *keys: str) -> None:
        """Press keys: letters, or tmux's names, such as Down."""
        self._run("send-keys", *keys)

    def screen(self) -> list[str]:
        return self._run("capture-pane", "-p").splitlines()

    def ask(self, variable: str) -> str:
        """Run one of tmux's commands."""
        return self._run("display-message", "-p", f"#{{{variable}}}").strip()

    def wait_for(self, words: str) -> list[str]:
        end = time.monotonic() + PATIENCE_S
        while words not in "\n".join(shown := self.screen()):
            assert time.monotonic() < end, f"no {words!r} in {shown}"
            time.sleep(0.02)
        return shown

    def wait_for_end(self) -> list[str]:
        """The last screen, which contains the program's exit code."""
        return self.wait_for(_ENDED)

    def close(self) -> None:
        self._run("kill-server")

    def _run(self, *command: str) -> str:
        done = subprocess.run([*self._tmux, *command], check=True, capture_output=True, text=True)
        return done.stdout


@contextmanager
def terminal(
    folder: Path, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Terminal]:
    opened = Terminal(folder, command, environment)
    try:
        yield opened
    finally:
        opened.close()
