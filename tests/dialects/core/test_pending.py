"""Waiting bytes are sent once, in their order."""

from __future__ import annotations

from casedesk_proxy.dialects.core.pending import PendingBytes


class Writer(PendingBytes):
    def say(self, *words: bytes) -> None:
        self._out.extend(words)


def test_what_is_due_is_taken_once() -> None:
    writer = Writer()
    assert writer.take() == b""
    writer.say(b"one ", b"two")
    assert writer.take() == b"one two"
    assert writer.take() == b""


def test_a_single_piece_is_the_very_bytes() -> None:
    writer, piece = Writer(), b"event"
    writer.say(piece)
    assert writer.take() is piece
