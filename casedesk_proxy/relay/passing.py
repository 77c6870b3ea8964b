"""Bytes that pass without the reply's machine, and how the machine learns of them."""

from __future__ import annotations

import asyncio

from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal

__all__ = ["Passing"]


class Passing(asyncio.Protocol):
    """The counts and the last reads of a relay, which it reports to ``machine`` before the next
    event that the machine handles. ``terminal``: None until the reply has ended."""

    __slots__ = (
        "_last_but_one", "_last_but_two", "_latest", "_passed", "_passed_bytes", "machine",
        "terminal",
    )  # fmt: skip

    def __init__(self, machine: ReplyMachine) -> None:
        self.machine = machine
        self.terminal: Terminal | None = None
        #: The last reads that passed unchanged: token counts are in one of a stream's last two
        #: events (over the recorded replies of six engines). Three variables cost less than a
        #: deque.
        self._latest = self._last_but_one = self._last_but_two = b""
        #: What passed since the last report to the machine: reads of the node, bytes for the
        #: client.
        self._passed = self._passed_bytes = 0

    @property
    def is_unsent(self) -> bool:
        """Whether it runs and nothing of the reply has been sent."""
        return self.terminal is None and self.machine.is_unsent

    @property
    def events(self) -> int:
        """The number of pieces in which the node has sent its body."""
        return self.machine.reads + self._passed

    @property
    def sent(self) -> int:
        """Body bytes that were sent."""
        return self.machine.sent + self._passed_bytes

    def recall(self) -> None:
        """Report to the machine what passed."""
        if self._passed:
            pieces = (self._last_but_two, self._last_but_one, self._latest)
            passed, sent = self._passed, self._passed_bytes
            self._passed = self._passed_bytes = 0
            self._latest = self._last_but_one = self._last_but_two = b""
            self.machine.passed(passed, sent, pieces)
