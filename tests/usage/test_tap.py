"""The tap remembers what it needs, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.tap import MAX_PIECE_BYTES, Tap
from tests.fixtures.table import table

COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
DONE = b"data: [DONE]\n\n"


@table("size", [1, 7, 4000, 100_000])
def test_taken_in_any_pieces(size: int) -> None:
    tap = Tap()
    body = b"data: x\n\n" * 5000 + COUNTS + DONE
    for start in range(0, len(body), size):
        tap.take(body[start : start + size])
    assert tap.last.endswith(COUNTS + DONE)
    assert tap.usage(Dialect.OPENAI) == Usage(3, 4)


@given(st.lists(st.binary(max_size=3 * MAX_PIECE_BYTES), max_size=5))
def test_the_end_is_kept_and_memory_is_bounded(pieces: list[bytes]) -> None:
    tap = Tap()
    for piece in pieces:
        tap.take(piece)
    assert tap.last == b"".join(pieces)[-len(tap.last) :] or not tap.last
    assert len(tap.last) == min(MAX_PIECE_BYTES, len(tap.last))
    assert len(tap.first) <= MAX_PIECE_BYTES


def test_first_keeps_the_beginning() -> None:
    tap = Tap()
    tap.take(b"begin")
    tap.take(b"end")
    assert (tap.first, tap.last) == (b"begin", b"beginend")


def test_what_goes_by_unseen_parts_the_beginning_from_the_end() -> None:
    tap = Tap()
    tap.take(b"begin")
    assert not tap.has_gap
    tap.skip()
    assert (tap.first, tap.last, tap.has_gap) == (b"begin", b"", True)
    tap.take(COUNTS)
    assert (tap.first, tap.last) == (b"begin", COUNTS)
    assert tap.usage(Dialect.OPENAI) == Usage(3, 4)
