"""How many refusals an address gets, and how they are logged: counts with ``now``, bounded in
memory.

A client without a valid key can send requests without end at no cost of its own. So each address
has a leaky bucket. While it is nearly empty, each refusal is logged like any other exchange; after
that, refusals are only summed up; when it is full, the address gets 429. The refusals of many
addresses together are summed up, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["RefusalVerdict", "Refusals", "Summary"]

#: The refusals of one address, and of all together, that are logged line by line before they are
#: summed up; the buckets leak at the rate of the limit.
_MAX_LINES_PER_ADDRESS = 20
_MAX_ALL_LINES = 200
_LINES_PER_MINUTE = 60.0
#: How many addresses are remembered: those of the latest refusals.
_MAX_ADDRESSES = 4096
#: How many addresses a summary names.
_MAX_NAMED_ADDRESSES = 10


class RefusalVerdict(Enum):
    """What happens to a refusal."""

    #: Answered and logged.
    LOGGED = "logged"
    #: Answered, and logged as part of a sum.
    SUMMED_UP = "summed up"
    #: Answered with 429, and logged as part of a sum.
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class Summary:
    """The number ``refused`` of ``address`` since the last summary; ``limited`` of them got 429."""

    address: str
    refused: int
    limited: int


class _Bucket:
    __slots__ = ("at", "level")

    def __init__(self, now: float) -> None:
        self.level = 0.0
        self.at = now

    def fill(self, now: float, leak: float, most: float) -> float:
        """Add one, unless it is full; return how full it is."""
        self.level = max(self.level - (now - self.at) * leak, 0.0)
        self.at = now
        if self.level + 1 > most:
            return most + 1
        self.level += 1
        return self.level


class Refusals:
    """``a_minute``: refusals of an address a minute, and as many at once; beyond that it gets 429;
    0: no limit."""

    __slots__ = ("_all", "_buckets", "_summed")

    def __init__(self) -> None:
        #: By address: for the limit, and for log lines. The latest are at the end.
        self._buckets: dict[str, tuple[_Bucket, _Bucket]] = {}
        self._all = _Bucket(0.0)
        #: Refused and limited since the last summary; "" stands for addresses that a summary cannot
        #: name.
        self._summed: dict[str, tuple[int, int]] = {}

    @staticmethod
    def pause(a_minute: int) -> float:
        """Seconds after which an address that got 429 may be refused once more."""
        return 60.0 / a_minute if a_minute else 0.0

    def note(self, address: str, now: float, a_minute: int) -> RefusalVerdict:
        """``address`` in the form that limits use."""
        pair = self._buckets.pop(address, None)
        if pair is None:
            pair = _Bucket(now), _Bucket(now)
            if len(self._buckets) >= _MAX_ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[address] = pair
        most = a_minute
        limited = bool(most) and pair[0].fill(now, most / 60.0, most) > most
        leak = _LINES_PER_MINUTE / 60.0
        loud = (
            not limited
            and pair[1].fill(now, leak, _MAX_LINES_PER_ADDRESS) <= _MAX_LINES_PER_ADDRESS
        )
        if loud and self._all.fill(now, _MAX_ALL_LINES / 60.0, _MAX_ALL_LINES) <= _MAX_ALL_LINES:
            return RefusalVerdict.LOGGED
        self._sum_up(address, limited)
        return RefusalVerdict.TOO_MANY if limited else RefusalVerdict.SUMMED_UP

    def summarise(self) -> list[Summary]:
        """What was summed up since the last call."""
        summed, self._summed = self._summed, {}
        return [Summary(address, *counts) for address, counts in summed.items()]

    def _sum_up(self, address: str, limited: bool) -> None:
        if address not in self._summed and len(self._summed) >= _MAX_NAMED_ADDRESSES:
            address = ""
        refused, before = self._summed.get(address, (0, 0))
        self._summed[address] = refused + 1, before + limited
