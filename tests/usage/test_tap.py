"""The tap remembers enough, and no more."""

from __future__ import annotations

import pytest

from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.tap import KEPT, MAX_PIECE, Tap
from casedesk_proxy.wire.chunked import frame_chunk

COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"


def test_whole_chunks_appended_directly() -> None:
    tap = Tap(chunked=True)
    for _ in range(100):
        tap.last.append(frame_chunk(b'data: {"usage":{"prompt_tokens":9}}\n\n'))
    tap.last.append(frame_chunk(COUNTS))
    tap.last.append(frame_chunk(DONE))
    assert len(tap.last) == KEPT
    assert tap.tail().endswith(COUNTS + DONE)
    assert tap.usage(Dialect.OPENAI) == Usage(3, 4)


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", [1, 7, 4000])
def test_taken_in_any_pieces(chunked: bool, size: int) -> None:
    tap = Tap(chunked)
    body = b"data: x\n\n" * 50 + COUNTS + DONE
    for start in range(0, len(body), size):
        tap.take(body[start : start + size])
    assert tap.tail().endswith(COUNTS + DONE)
    assert tap.usage(Dialect.OPENAI) == Usage(3, 4)


def test_mixed_ways_of_remembering() -> None:
    tap = Tap(chunked=True)
    tap.last.append(frame_chunk(COUNTS[:30]))
    tap.take(COUNTS[30:])
    tap.last.append(frame_chunk(DONE))
    assert tap.usage(Dialect.OPENAI) == Usage(3, 4)


def test_memory_is_bounded() -> None:
    tap = Tap(chunked=False)
    for _ in range(50):
        tap.take(b"x" * 1_000_000)
    assert len(tap.first) + sum(map(len, tap.last)) <= (KEPT + 1) * MAX_PIECE


def test_first_keeps_the_beginning() -> None:
    tap = Tap(chunked=False)
    tap.take(b"begin")
    tap.take(b"end")
    assert tap.first == b"begin"
