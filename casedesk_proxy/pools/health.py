"""What is known about a node's health, and how one thing leads to another.

    well ──strikes──▶ cooling ──time──▶ on trial ──success──▶ well
                         ▲                  │
                         └──── any fault ───┘   (each round twice as long, up to LONGEST)

Passive first: requests tell most. A fault that is surely the node's (nobody listens, 503) takes
it out at once; one that may be the request's (500, a broken stream) has to come three times
without a success in between. An error that is the request's own (400) says nothing for or against
a node, but that somebody answers there. A node is never given up for good: after its cool-down one
request tries it, and an active probe that finds it back ends the cool-down early. One that finds
nobody there draws it out. That a connection comes about says nothing: docker's proxy and `ssh -L`
accept, too, where nobody is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FIRST", "LONGEST", "MEMORY", "Fault", "Health"]

#: Cool-downs in seconds: the first, and what doubling leads to at most.
FIRST = 1.0
LONGEST = 30.0
#: So many strikes take a node out; older ones than this (seconds) no longer count.
STRIKES_OUT = 3
MEMORY = 60.0


class Fault(StrEnum):
    """What can speak against a node."""

    #: Nobody listens there, or TLS fails.
    UNREACHABLE = "unreachable"
    #: It answered 502 or 503: not ready, loading, shutting down.
    UNAVAILABLE = "unavailable"
    #: It answered with another 5xx.
    ERROR = "error"
    #: Its reply broke off or was garbage.
    BROKE = "broke"
    #: It was silent for longer than a timeout allows.
    SILENT = "silent"
    #: It does not take the proxy's key. No other request will do better, but one for another
    #: model may: Ollama wants a key for its cloud's models alone.
    DENIED = "denied"
    #: Told of one model, or one kind of request: it has lost it.
    ABSENT = "absent"


_STRIKES = {
    Fault.UNREACHABLE: STRIKES_OUT,
    Fault.UNAVAILABLE: STRIKES_OUT,
    Fault.ABSENT: STRIKES_OUT,
}
#: A probe can see that these are over; whether a node still breaks streams it cannot.
_SEEN_BY_PROBES = frozenset({Fault.UNREACHABLE, Fault.UNAVAILABLE, Fault.SILENT})


@dataclass(slots=True)
class Health:
    """``until`` is the end of the cool-down; ``rounds`` how many there were in a row, 0: well.
    ``broke``: those of the strikes that are replies which began and broke, since the last whole."""

    strikes: int = 0
    broke: int = 0
    rounds: int = 0
    until: float = 0.0
    cause: Fault | None = None
    struck_at: float = float("-inf")
    on_trial: bool = False
    last_error: str = ""
    last_error_at: float | None = None

    def is_well(self) -> bool:
        return self.rounds == 0

    def is_cooling(self, now: float) -> bool:
        return self.rounds > 0 and now < self.until

    def may_serve(self, now: float) -> bool:
        """Well, or due for the one request that tries it."""
        return self.rounds == 0 or (now >= self.until and not self.on_trial)

    def note(self, now: float, error: str) -> None:
        """Something to show on the status page that changes nothing."""
        self.last_error, self.last_error_at = error, now

    def fail(self, now: float, fault: Fault, error: str) -> None:
        """A fault of the node. ``error`` must be safe to show."""
        self.note(now, error)
        if now - self.struck_at > MEMORY:
            self.strikes = self.broke = 0
        self.struck_at = now
        self.strikes += _STRIKES.get(fault, 1)
        self.broke += fault is Fault.BROKE
        if self.is_cooling(now):
            return  # Known already; those that were under way make it no worse.
        if self.strikes >= STRIKES_OUT or self.rounds:
            self.cause = fault
            self.until = now + min(FIRST * 2.0**self.rounds, LONGEST)
            # Far beyond LONGEST the exponent would grow without use.
            self.rounds = min(self.rounds + 1, 16)
            self.strikes = self.broke = 0

    def begin(self) -> None:
        """A request got its reply, which ends a trial: the reply may go on for hours. That the
        node breaks what it begins, only a whole reply excuses."""
        self.on_trial = False
        broke = self.broke
        if self.cause is not Fault.BROKE:
            self.succeed()
            self.strikes = self.broke = broke

    def succeed(self) -> None:
        """A whole reply came, or what spoke against the node is over."""
        self.on_trial = False
        self.strikes = self.broke = self.rounds = 0
        self.until = 0.0
        self.cause = None

    def seen_alive(self) -> None:
        """Somebody answers there: a probe, or a request with an error that is its own. Strikes
        stay, as that is no success."""
        if self.rounds and (self.cause is None or self.cause in _SEEN_BY_PROBES):
            self.succeed()

    def forgive(self) -> None:
        """The node has another key, perhaps."""
        if self.cause is Fault.DENIED:
            self.succeed()

    def seen_dead(self, now: float) -> None:
        """An active probe found nobody there. The next one comes before the cool-down ends, so no
        request is risked, and nobody is told that the node may be back."""
        if self.rounds:
            self.until = max(self.until, now + 2 * FIRST)
