"""A circuit breaker for each node: closed while requests may go there.

    closed ──failures──▶ open ──cool-down over──▶ half-open ──success──▶ closed
                          ▲                           │
                          └───────── failure ─────────┘   (each cool-down twice as long, up to
                                                           MAX_COOLDOWN_S)

Requests themselves are the first source. A fault that is surely the node's (nothing listens, 503)
opens the breaker at once; a fault that may be the request's (500, a broken stream) must occur three
times without a success in between. An error that the request itself caused (400) only proves that
the node answers. A node is never given up for good: after its cool-down the breaker is half-open
and one trial request goes to the node. A probe that finds the node back closes the breaker early; a
probe that finds nothing there extends the cool-down. An accepted connection proves nothing:
docker's proxy and `ssh -L` also accept one if nothing listens behind them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FAILURE_WINDOW_S", "FIRST_COOLDOWN_S", "MAX_COOLDOWN_S", "CircuitBreaker", "NodeFault"]

#: Cool-downs in seconds: the first, and the longest after doubling.
FIRST_COOLDOWN_S = 1.0
MAX_COOLDOWN_S = 30.0
#: So many failures open the breaker; failures older than the window (seconds) do not count.
FAILURE_THRESHOLD = 3
FAILURE_WINDOW_S = 60.0


class NodeFault(StrEnum):
    """The kinds of faults that count against a node."""

    #: Nothing listens there, or TLS fails.
    UNREACHABLE = "unreachable"
    #: It answered 502 or 503: not ready, loading, shutting down.
    UNAVAILABLE = "unavailable"
    #: It answered with another 5xx.
    ERROR = "error"
    #: Its reply broke off or was invalid.
    BROKE = "broke"
    #: It was silent for longer than a timeout allows.
    SILENT = "silent"
    #: It refuses the proxy's key. No other request will succeed, but one for another model may:
    #: Ollama requires a key only for its cloud's models.
    DENIED = "denied"
    #: It has lost one model, or one kind of request.
    ABSENT = "absent"


_FAILURE_WEIGHTS = {
    NodeFault.UNREACHABLE: FAILURE_THRESHOLD,
    NodeFault.UNAVAILABLE: FAILURE_THRESHOLD,
    NodeFault.ABSENT: FAILURE_THRESHOLD,
}
#: Faults whose end a probe can see; it cannot see whether a node still breaks streams.
_ENDED_BY_PROBES = frozenset({NodeFault.UNREACHABLE, NodeFault.UNAVAILABLE, NodeFault.SILENT})


@dataclass(slots=True)
class CircuitBreaker:
    """``openings``: how many times in a row it opened; 0: it is closed. It is open until
    ``open_until``, then half-open, and ``trial_running`` while its one request runs.
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
        """Whether it is closed, or half-open and due for its one trial request."""
        return self.openings == 0 or (now >= self.open_until and not self.trial_running)

    def note_error(self, now: float, error: str) -> None:
        """Note an error for the status page; it changes nothing else."""
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
            return  # Known already; requests that were running make it no worse.
        if self.failures >= FAILURE_THRESHOLD or self.openings:
            self.cause = fault
            self.open_until = now + min(FIRST_COOLDOWN_S * 2.0**self.openings, MAX_COOLDOWN_S)
            # Far beyond MAX_COOLDOWN_S the exponent would grow without use.
            self.openings = min(self.openings + 1, 16)
            self.failures = self.broken_replies = 0

    def record_head(self) -> None:
        """A reply's head arrived, which ends a trial: the whole reply may take hours. Failures by
        broken replies stay counted until a whole reply arrives."""
        if not (self.failures or self.openings):
            return  # The usual case: nothing counts against it.
        self.trial_running = False
        broke = self.broken_replies
        if self.cause is not NodeFault.BROKE:
            self.record_success()
            self.failures = self.broken_replies = broke

    def record_success(self) -> None:
        """A whole reply arrived, or the fault has ended."""
        self.trial_running = False
        self.failures = self.broken_replies = self.openings = 0
        self.open_until = 0.0
        self.cause = None

    def probe_ok(self) -> None:
        """The node answered a probe, or a request with an error that the request itself caused.
        Failures stay, as that is not a success."""
        if self.openings and (self.cause is None or self.cause in _ENDED_BY_PROBES):
            self.record_success()

    def clear_denial(self) -> None:
        """The node may have another key now."""
        if self.cause is NodeFault.DENIED:
            self.record_success()

    def probe_failed(self, now: float) -> None:
        """A probe found that nothing listens there. Prolong the cool-down beyond the next probe, so
        that no request is risked, and nothing reports that the node may be back."""
        if self.openings:
            self.open_until = max(self.open_until, now + 2 * FIRST_COOLDOWN_S)
