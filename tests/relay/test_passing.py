"""Bytes that pass unchanged are reported to the machine before its next event."""

from __future__ import annotations

from typing import cast

from casedesk_proxy.relay.passing import Passing
from casedesk_proxy.replying.machine import ReplyMachine


class Machine:
    """Has read two pieces and sent nine bytes; records what is reported to it."""

    reads, sent, is_unsent = 2, 9, True

    def __init__(self) -> None:
        self.reports: list[tuple[int, int, tuple[bytes, ...]]] = []

    def passed(self, reads: int, sent: int, pieces: tuple[bytes, ...]) -> None:
        self.reports.append((reads, sent, pieces))
        self.reads, self.sent, self.is_unsent = self.reads + reads, self.sent + sent, False


def passing(*pieces: bytes) -> tuple[Passing, Machine]:
    machine = Machine()
    made = Passing(cast(ReplyMachine, machine))
    for piece in pieces:  # As `Relay.data_received` counts them.
        made._last_but_two, made._last_but_one, made._latest = (
            made._last_but_one, made._latest, piece,
        )  # fmt: skip
        made._passed += 1
        made._passed_bytes += len(piece)
    return made, machine


def test_counts_are_true_at_any_time() -> None:
    made, _ = passing(b"a", b"bc")
    assert (made.events, made.sent) == (4, 12)
    made.recall()
    assert (made.events, made.sent) == (4, 12)


def test_the_machine_gets_the_last_three_reads_once() -> None:
    made, machine = passing(b"a", b"bc", b"def", b"g")
    made.recall()
    made.recall()
    assert machine.reports == [(4, 7, (b"bc", b"def", b"g"))]


def test_nothing_is_reported_if_nothing_has_passed() -> None:
    made, machine = passing()
    made.recall()
    assert machine.reports == []
    assert made.is_unsent
