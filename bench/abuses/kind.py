"""What an abuse is: what it needs to be set up, what it does, and what it may cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Abuse", "Victim", "nothing"]

#: MB that a proxy may take beside what it had, whatever one client does: some buffers, no copies
#: of what was sent.
_BOUND_MB = 64.0


@dataclass(slots=True)
class Victim:
    """The proxy as its abuser sees it. ``key`` opens the deployment ``abuse``, whose only node
    is the abuser's own. ``share`` of the full size, for a try. ``config`` is the proxy's file."""

    port: int
    admin: int
    pid: int
    key: str
    config: str
    seconds: float
    share: float = 1.0
    began: float = field(default_factory=time.monotonic)
    #: What came of it, by name: requests, statuses, bytes.
    said: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> float:
        """Seconds that the abuse may go on."""
        return self.began + self.seconds - time.monotonic()

    def scaled(self, number: int) -> int:
        return max(1, int(number * self.share))


@dataclass(frozen=True, slots=True)
class Abuse:
    """``act`` returns when its time is over. ``serve``, where there is one, plays the node of the
    deployment ``abuse`` on the listening socket that it is given, for ever. ``bound_mb``: how
    much memory more than before the proxy may take. ``log_pipe``: nobody reads its stderr.
    ``stopped_twin``: one of two nodes of an innocent deployment is stopped meanwhile, and
    ``grace`` the seconds after which that must cost nobody anything. ``new_may_wait``: nothing is
    expected of new connections meanwhile. ``least_seconds`` that it takes to show anything."""

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
    """Somebody else does it."""
    time.sleep(max(0.0, victim.left))
