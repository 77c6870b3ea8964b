"""SIGINT, which Ctrl-C sends, before and beside the daemon: it ends a command at once, without a
word, with the status that shells show as 130.

Python's own answer is an exception, which is shown as a traceback during imports, or gets lost in
one; click shows ``Aborted!``. The daemon has an answer of its own (daemon/signals.py).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["closed_at_interrupt", "end_at_interrupt"]


def end_at_interrupt() -> None:
    """From now on, unless it is ignored, as shells let programs in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def closed_at_interrupt() -> Iterator[None]:
    """What is opened inside, such as a terminal, is closed before the process ends: inside, SIGINT
    is a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _end)
        for number in came:
            _end(number, None)


def _end(number: int, _: FrameType | None) -> None:
    """By the signal itself, so that shells and make end what they run, too."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container has no defaults.
    os._exit(128 + number)
