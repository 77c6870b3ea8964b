"""A circuit breaker for each node: closed while requests may go there.

    closed ──failures──▶ open ──cool-down over──▶ half-open ──success──▶ closed
                          ▲                           │
                          └───────── failure ─────────┘   (each cool-down twice as long, up to
                                                           MAX_COOLDOWN_S)

Passive first: requests show most. A fault that is surely the node's (nobody listens, 503) opens
it at once; one that may be the request's (500, a broken stream) has to come three times
without a success in between. An error that is the request's own (400) says nothing for or against
a node, but that somebody answers there. A node is never given up for good: after its cool-down
the breaker is half-open and one request tries the node, and an active probe that finds it back
closes the breaker early. One that finds nobody there extends the cool-down. That a connection
comes about says nothing: docker's proxy and `ssh -L` accept, too, where nobody is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FAILURE_WINDOW_S", "FIRST_COOLDOWN_S", "MAX_COOLDOWN_S", "CircuitBreaker", "NodeFault"]

#: Cool-downs in seconds: the first, and what doubling leads to at most.
FIRST_COOLDOWN_S = 1.0
MAX_COOLDOWN_S = 30.0
#: So many failures open the breaker; older ones than the window (seconds) no longer count.
FAILURE_THRESHOLD = 3
FAILURE_WINDOW_S = 60.0


class NodeFault(StrEnum):
    """The kinds of faults that count against a node."""

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
    #: Of one model, or one kind of request: it has lost it.
    ABSENT = "absent"


_FAILURE_WEIGHTS = {
    NodeFault.UNREACHABLE: FAILURE_THRESHOLD,
    NodeFault.UNAVAILABLE: FAILURE_THRESHOLD,
    NodeFault.ABSENT: FAILURE_THRESHOLD,
}
#: A probe can see that these are over; whether a node still breaks streams it cannot.
_ENDED_BY_PROBES = frozenset({NodeFault.UNREACHABLE, NodeFault.UNAVAILABLE, NodeFault.SILENT})


@dataclass(slots=True)
class CircuitBreaker:
    """``openings``: how many times in a row it opened, 0: it is closed. It is open until
    ``open_until``, then half-open, and ``trial_running`` while its one request is under way.
    ``broken_replies``: those of the ``failures`` that are replies which began and broke, since the
    last whole one."""

    failures: int = 0
    broken_replies: int = 0
    openings: int = 0
    open_until: float = 0.0
    cause: NodeFault | None = None
    failed_at: float = float("-inf")
    trial_running: bool = False
    last_error: str = ""
    last_error_at: float | None = None

    def is_closed(self) -> bool:
        return self.openings == 0

    def is_open(self, now: float) -> bool:
        return self.openings > 0 and now < self.open_until

    def allows_request(self, now: float) -> bool:
        """Closed, or half-open and due for the one request that tries the node."""
        return self.openings == 0 or (now >= self.open_until and not self.trial_running)

    def note_error(self, now: float, error: str) -> None:
        """Something to show on the status page that changes nothing."""
        self.last_error, self.last_error_at = error, now

    def record_failure(self, now: float, fault: NodeFault, error: str) -> None:
        """A fault of the node. ``error`` must be safe to show."""
        self.note_error(now, error)
        if now - self.failed_at > FAILURE_WINDOW_S:
            self.failures = self.broken_replies = 0
        self.failed_at = now
        self.failures += _FAILURE_WEIGHTS.get(fault, 1)
        self.broken_replies += fault is NodeFault.BROKE
        if self.is_open(now):
            return  # Known already; those that were under way make it no worse.
        if self.failures >= FAILURE_THRESHOLD or self.openings:
            self.cause = fault
            self.open_until = now + min(FIRST_COOLDOWN_S * 2.0**self.openings, MAX_COOLDOWN_S)
            # Far beyond MAX_COOLDOWN_S the exponent would grow without use.
            self.openings = min(self.openings + 1, 16)
            self.failures = self.broken_replies = 0

    def record_head(self) -> None:
        """A reply's head came, which ends a trial: the whole reply may take hours. Failures by
        broken replies stay counted until a whole reply comes."""
        if not (self.failures or self.openings):
            return  # As nearly always: nothing speaks against it.
        self.trial_running = False
        broke = self.broken_replies
        if self.cause is not NodeFault.BROKE:
            self.record_success()
            self.failures = self.broken_replies = broke

    def record_success(self) -> None:
        """A whole reply came, or what spoke against the node is over."""
        self.trial_running = False
        self.failures = self.broken_replies = self.openings = 0
        self.open_until = 0.0
        self.cause = None

    def probe_ok(self) -> None:
        """Somebody answers there: a probe, or a request with an error that is its own. Failures
        stay, as that is no success."""
        if self.openings and (self.cause is None or self.cause in _ENDED_BY_PROBES):
            self.record_success()

    def clear_denial(self) -> None:
        """The node has another key, perhaps."""
        if self.cause is NodeFault.DENIED:
            self.record_success()

    def probe_failed(self, now: float) -> None:
        """An active probe found nobody there. Prolong the cool-down beyond the next probe, so that
        no request is risked, and nothing reports that the node may be back."""
        if self.openings:
            self.open_until = max(self.open_until, now + 2 * FIRST_COOLDOWN_S)
