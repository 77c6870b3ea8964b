"""Nothing waits for the log's reader: lines that it does not read are dropped, counted and
reported."""

from __future__ import annotations

import fcntl
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.telemetry.logwriter import LogWriter

LINE = b"x" * 99 + b"\n"
#: As much as the pipe holds.
FILLING = b"y" * 4095 + b"\n"


class Pipe:
    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, len(FILLING))
        self.writer = LogWriter(self.writing, say, max_waiting_bytes=10_000)

    def fill(self) -> None:
        """The next write to it waits until it is read."""
        os.write(self.writing, FILLING)

    def until_taken(self) -> None:
        """Wait until the thread writes what was handed over."""
        while self.writer._waiting:
            os.sched_yield()

    def read_all(self) -> list[bytes]:
        """All bytes until the writer has caught up and has written its notice."""
        data = b""
        while True:
            # Before the look into the pipe: when it has caught up, all is there.
            is_behind = self.writer.is_behind
            if select.select([self.reading], [], [], 0.01)[0]:
                data += os.read(self.reading, 100_000)
            elif not is_behind:
                return data.splitlines(keepends=True)


def say(text: str) -> bytes:
    return text.encode() + b"\n"


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reading)
    pipe.writer.flush(10)
    os.close(pipe.writing)


def test_lines_come_whole_and_in_order_from_all_threads(pipe: Pipe) -> None:
    writer = LogWriter(pipe.writing, say)

    def write(name: int) -> None:
        for number in range(500):
            writer.write(b"%d %d\n" % (name, number))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    data = b""
    while data.count(b"\n") < 2000:
        data += os.read(pipe.reading, 100_000)
    lines = [line.split() for line in data.splitlines()]
    for name in range(4):
        wanted = list(range(500))
        assert [int(number) for who, number in lines if int(who) == name] == wanted
    assert writer.flush(10)
    assert writer.dropped == 0


def test_a_reader_that_hangs_stops_nobody(pipe: Pipe) -> None:
    """If a write blocked, this test would time out."""
    pipe.fill()
    pipe.writer.write(LINE)
    pipe.until_taken()
    for _ in range(1000):
        pipe.writer.write(LINE)
    assert pipe.writer.dropped == 901
    assert not pipe.writer.flush(0.01)
    assert pipe.read_all() == [
        FILLING, LINE, b"901 log lines were dropped: the log's reader was too slow\n", *[LINE] * 99,
    ]  # fmt: skip
    pipe.writer.write(b"later\n")
    assert pipe.writer.flush(10)
    assert os.read(pipe.reading, 1000) == b"later\n", "said once"
    assert pipe.writer.dropped == 901


def test_a_descriptor_that_somebody_made_non_blocking(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    for _ in range(80):
        pipe.writer.write(LINE)
    assert pipe.read_all() == [LINE] * 80


def test_a_reader_that_is_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LogWriter(writing, say)
    writer.write(LINE)
    assert writer.flush(10)
    assert writer.dropped == 1
    os.close(writing)


def test_a_full_disk(tmp_path: Path) -> None:
    """Lines that fit are kept whole. When there is room again, a line reports that the others are
    lost."""
    full = os.open("/dev/full", os.O_WRONLY)
    path = tmp_path / "log"
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(full, say)
    writer.write(LINE)
    writer.write(LINE)
    assert writer.flush(10)
    assert writer.dropped == 2
    writer._descriptor = file
    writer.write(b"again\n")
    assert writer.flush(10)
    why = os.strerror(28).encode()
    assert path.read_bytes() == (
        b"again\n2 log lines were dropped: the log cannot be written: %b\n" % why
    )
    os.close(full)
    os.close(file)


def test_half_a_line_gets_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = []
    answers = [3, OSError(28, "No space"), 100, 100]

    def write(_: int, data: memoryview) -> int:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        written.append(bytes(data[:answer]))
        return len(written[-1])

    writer = LogWriter(1, say)
    monkeypatch.setattr(os, "write", write)
    writer.write(b"first\n")
    assert writer.flush(10)
    writer.write(b"second\n")
    assert writer.flush(10)
    assert b"".join(written) == (
        b"fir\nsecond\n1 log line was dropped: the log cannot be written: No space\n"
    )
    assert writer.dropped == 1


def test_no_thread_for_now(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        pipe.writer.write(b"first\n")
    pipe.writer.write(b"second\n")
    assert pipe.read_all() == [b"first\n", b"second\n"]
