"""The definition of an abuse: its setup, what it does, and what it may cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Abuse", "Victim", "nothing"]

#: MB that a proxy may take in addition, whatever one client does: some buffers, but no copies of
#: what was sent.
_BOUND_MB = 64.0


@dataclass(slots=True)
class Victim:
    """The proxy as its abuser sees it. ``key`` grants access to the deployment ``abuse``, whose
    only node is the abuser's own. ``share`` of the full size, for a short run. ``config`` is the
    proxy's file."""

    port: int
    admin: int
    pid: int
    key: str
    config: str
    seconds: float
    share: float = 1.0
    began: float = field(default_factory=time.monotonic)
    #: Results by name: requests, statuses, bytes.
    said: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> float:
        """The remaining seconds of the abuse."""
        return self.began + self.seconds - time.monotonic()

    def scaled(self, number: int) -> int:
        return max(1, int(number * self.share))


@dataclass(frozen=True, slots=True)
class Abuse:
    """``act`` returns when its time is over. ``serve``, if there is one, runs the node of the
    deployment ``abuse`` on the given listening socket, until it is killed. ``bound_mb``: how much
    memory the proxy may take in addition. ``log_pipe``: its stderr is a pipe that is not read.
    ``stopped_twin``: one of two nodes of an innocent deployment is stopped meanwhile, and
    ``grace``: after so many seconds that must have no effect. ``new_may_wait``: new connections
    need not be answered meanwhile. ``least_seconds`` that it needs to show anything."""

    name: str
    title: str
    act: Callable[[Victim], None]
    serve: Callable[..., None] | None = None
    bound_mb: float = _BOUND_MB
    log_pipe: bool = False
    stopped_twin: bool = False
    tls_nodes: int = 0
    grace: float = 0.0
    new_may_wait: bool = False
    least_seconds: float = 0.0


def nothing(victim: Victim) -> None:
    """For abuses that act in another way."""
    time.sleep(max(0.0, victim.left))
