"""Refusals without a valid key: how many an address may get, and one log line for many."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from casedesk_proxy.auth.refusals import Refusals, RefusalVerdict, Summary
from casedesk_proxy.errors import ClientFault, ProxyError
from casedesk_proxy.snapshot import Current
from casedesk_proxy.wire.addresses import limit_key

__all__ = ["Judged", "RefusalLimit"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """``summed_up``: it has no log line of its own."""

    error: ProxyError
    summed_up: bool


class RefusalLimit:
    """Call ``judge`` for each refusal of an unknown client. ``period_s``: the time that one log
    line sums up. ``stop`` must be called."""

    __slots__ = ("_current", "_loop", "_period_s", "_refusals", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, current: Current, period_s: float) -> None:
        self._period_s = period_s
        self._loop = loop
        self._current = current
        self._refusals = Refusals()
        self._timer: asyncio.TimerHandle | None = None

    def judge(self, address: str, error: ProxyError) -> Judged:
        """The answer to the client at ``address``: ``error``, or that there were too many."""
        limit = self._current.snapshot.refusals_per_minute
        verdict = self._refusals.note(limit_key(address), self._loop.time(), limit)
        if verdict is RefusalVerdict.LOGGED:
            return Judged(error, summed_up=False)
        if self._timer is None:
            self._timer = self._loop.call_later(self._period_s, self._log_summaries)
        if verdict is RefusalVerdict.SUMMED_UP:
            return Judged(error, summed_up=True)
        too_many = ClientFault(
            "too many requests from your address were refused (server.refusals_per_minute); wait"
            f" and send a valid one. The last was refused because: {error.message}",
            status=429,
            code="too_many_refusals",
            retry_after=max(self._refusals.pause(limit), 1.0),
        )
        return Judged(too_many, summed_up=True)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._log_summaries()

    def _log_summaries(self) -> None:
        self._timer = None
        for one in self._refusals.summarise():
            log.warning("%s", _format(one))


def _format(one: Summary) -> str:
    whose = one.address or "other addresses"
    said = f"refused another {one.refused} requests from {whose} without a valid key"
    return f"{said}, {one.limited} of them with 429" if one.limited else said
