"""Who tried to sign in and failed, and how long it is until the next try."""

from __future__ import annotations

__all__ = ["SignInAttempts"]

#: Failures that cost no waiting: people mistype.
_MAX_FREE_FAILURES = 3
_MAX_WAIT_S = 60.0
#: Seconds after which a failure is forgotten.
_MEMORY_S = 900.0
#: Addresses and names that are remembered; the oldest goes first.
_MAX_REMEMBERED_NAMES = 10_000


class SignInAttempts:
    """By address and by name, so that neither many names nor many addresses help a guesser."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}

    def wait_s(self, who: list[str], now: float) -> float:
        """Seconds until one of ``who`` may try again; 0: now."""
        return max([self._wait_s(one, now) for one in who], default=0.0)

    def _wait_s(self, one: str, now: float) -> float:
        count, last = self._failed.get(one, (0, 0.0))
        if count < _MAX_FREE_FAILURES or now - last > _MEMORY_S:
            return 0.0
        return max(last + min(2.0 ** (count - _MAX_FREE_FAILURES), _MAX_WAIT_S) - now, 0.0)

    def fail(self, who: list[str], now: float) -> None:
        for one in who:
            count, last = self._failed.pop(one, (0, now))
            self._failed[one] = (1 if now - last > _MEMORY_S else min(count + 1, 30)), now
        while len(self._failed) > _MAX_REMEMBERED_NAMES:
            del self._failed[next(iter(self._failed))]

    def succeed(self, who: list[str]) -> None:
        for one in who:
            self._failed.pop(one, None)
