"""How fast a client must send a request's body, and the timer that checks it."""

from __future__ import annotations

import asyncio
from typing import Protocol

from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.terms import record

__all__ = ["TIMEOUT_GRACE_S", "Pace", "PaceTimer", "Sender"]

#: Seconds between a client's timeout and the decision. Timers run before reads: after a stall of
#: the loop, or of the machine, bytes that the client sent in time are still to be read.
TIMEOUT_GRACE_S = 0.1


@record
class Pace:
    """At least ``least`` bytes in every ``pause_s`` seconds."""

    pause_s: float
    least: float

    @classmethod
    def of(cls, snapshot: Snapshot) -> Pace:
        """The pace that a configuration demands: one byte, or more with a ``min_rate``."""
        pause_s = snapshot.body_timeout
        return cls(pause_s, max(snapshot.min_rate * pause_s, 1))


class Sender(Protocol):
    """The body of one client, as it arrives: ``received`` bytes so far."""

    @property
    def received(self) -> int: ...

    def give_up(self) -> None:
        """The client sends too slowly."""


class PaceTimer:
    """Calls a sender's ``give_up`` once it falls behind ``pace``. ``stop`` must be called."""

    __slots__ = ("_loop", "_pace", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, pace: Pace) -> None:
        self._loop = loop
        self._pace = pace
        self._timer: asyncio.TimerHandle | None = None

    def start(self, sender: Sender) -> None:
        """Begin a new period, now."""
        # The sender is held by its timer only, not by an attribute: it has this object.
        self.stop()
        self._timer = self._loop.call_later(
            self._pace.pause_s, self._allow_grace, sender, sender.received
        )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _allow_grace(self, sender: Sender, before: int) -> None:
        self._timer = self._loop.call_later(TIMEOUT_GRACE_S, self._judge, sender, before)

    def _judge(self, sender: Sender, before: int) -> None:
        self._timer = None
        if sender.received - before >= self._pace.least:
            self.start(sender)
        else:
            sender.give_up()
