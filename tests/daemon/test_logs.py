"""A repeated message about a broken node is logged a few times, then counted."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading

import pytest

from casedesk_proxy.daemon.logs import LogHandler, RepetitionFilter
from casedesk_proxy.telemetry.log_output import LogFormatter, flush
from tests.fixtures.patience import PATIENCE_S


def record(message: str, *args: object, at: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord("n", logging.WARNING, "", 0, message, args, None)
    made.created = at
    return made


def test_repetition_is_held_back_and_told() -> None:
    repetition = RepetitionFilter(burst=2, window_s=10)
    passed = [repetition.filter(record("node %s", n, at=n / 10)) for n in range(50)]
    assert passed == [True, True] + [False] * 48
    assert repetition.filter(record("other", at=1))
    assert repetition.take_suppressed(9) == []
    ((last, count),) = repetition.take_suppressed(10)
    assert (last.getMessage(), count) == ("node 49", 48)
    assert repetition.filter(record("node %s", 50, at=11))


def test_what_comes_now_and_then_is_never_held_back() -> None:
    repetition = RepetitionFilter(burst=2, window_s=10)
    assert all(repetition.filter(record("x", at=6.0 * n)) for n in range(100))


def test_levels_are_kinds_of_their_own_and_few_are_remembered() -> None:
    repetition = RepetitionFilter(burst=1, window_s=10)
    assert all(repetition.filter(record(f"kind {n}")) for n in range(10_000))
    assert len(repetition._kinds) <= 256


def is_locked(repetition: RepetitionFilter) -> bool:
    """Whether another thread would have to wait."""
    taken: list[bool] = []

    def take() -> None:
        taken.append(repetition._lock.acquire(blocking=False))
        if taken == [True]:
            repetition._lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    return taken == [False]


def test_every_thread_and_finalisers_may_log_meanwhile() -> None:
    repetition, locked = RepetitionFilter(burst=0, window_s=0), list[bool]()

    class Late(logging.LogRecord):
        @property
        def created(self) -> float:  # type: ignore[override]
            locked.append(is_locked(repetition))
            return 0.0

        @created.setter
        def created(self, _: float) -> None: ...

    class Now(float):
        def __sub__(self, other: float) -> float:
            locked.append(is_locked(repetition))
            repetition.filter(record(f"of a finaliser {len(locked)}"))
            return float(self) - other

    records = [Late("n", logging.WARNING, "", 0, f"kind {n}", (), None) for n in range(3)]
    locked.clear()
    for one in records:
        repetition.filter(one)
    told = repetition.take_suppressed(Now(1))
    assert [line.getMessage() for line, _ in told] == ["kind 0", "kind 1", "kind 2"]
    assert len(repetition.take_suppressed(1)) == 3
    assert locked == [True] * 6


def test_the_handler(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = LogHandler(LogFormatter())
    for _ in range(15):
        log.handle(record("down\nagain"))
    log.log_suppressed(float("inf"))
    assert flush(PATIENCE_S)
    *lines, last = capfdbinary.readouterr().err.splitlines()
    assert len(lines) == 10
    assert last.endswith(b"warning down\\nagain (and 5 more like it)")
    log.configure("json", logging.getLevelName(logging.getLogger().level))
    log.handle(record("in json"))
    assert flush(PATIENCE_S)
    assert b'"message":"in json"' in capfdbinary.readouterr().err


PRINTING = """
import threading, warnings
from casedesk_proxy.daemon.logs import start_log
start_log("logfmt", "info")
class Broken:
    def __del__(self):
        raise ValueError("in a finaliser")
warnings.warn("something odd")
Broken()
thread = threading.Thread(target=lambda: 1 // 0, name="helper")
thread.start()
thread.join()
"""


def test_what_python_prints_goes_into_the_log() -> None:
    """A direct write would be immediate, and would wait for the reader of stderr."""
    done = subprocess.run(
        [sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True
    )
    lines = done.stderr.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\S+Z (warning|error) ", line) for line in lines), lines
    for told in ("UserWarning: something odd", "Broken.__del__", "in a finaliser",
                 "thread helper failed", "ZeroDivisionError"):  # fmt: skip
        assert any(told in line for line in lines), told
