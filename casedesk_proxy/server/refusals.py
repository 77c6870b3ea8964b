"""Refusals without a valid token: how many an address may have, and one log line for many."""

from __future__ import annotations

import asyncio
import logging

from casedesk_proxy.auth.refusals import Refusals, RefusalVerdict, Summary
from casedesk_proxy.errors import ClientFault, ProxyError
from casedesk_proxy.replying.record import Outcome
from casedesk_proxy.snapshot import Current
from casedesk_proxy.wire.addresses import limit_key

__all__ = ["RefusalLimit"]

log = logging.getLogger(__name__)

#: Seconds that one log line sums up.
_SUMMARY_PERIOD_S = 10.0


class RefusalLimit:
    """``judge`` is asked of each refusal of somebody unknown. ``stop`` must be called."""

    __slots__ = ("_current", "_loop", "_refusals", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, current: Current) -> None:
        self._loop = loop
        self._current = current
        self._refusals = Refusals()
        self._timer: asyncio.TimerHandle | None = None

    def judge(self, outcome: Outcome, error: ProxyError) -> ProxyError:
        """What to answer: ``error``, or that there were too many. Says in ``outcome`` whether it
        has a log line of its own."""
        limit = self._current.snapshot.refusals_per_minute
        verdict = self._refusals.note(limit_key(outcome.client), self._loop.time(), limit)
        if verdict is RefusalVerdict.LOGGED:
            return error
        outcome.summed_up = True
        if self._timer is None:
            self._timer = self._loop.call_later(_SUMMARY_PERIOD_S, self._tell)
        if verdict is RefusalVerdict.SUMMED_UP:
            return error
        return ClientFault(
            "too many requests from your address were refused (server.refusals_per_minute); wait"
            f" and send a valid one. The last was refused because: {error.message}",
            status=429,
            code="too_many_refusals",
            retry_after=max(self._refusals.pause(limit), 1.0),
        )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        for one in self._refusals.summarise():
            log.warning("%s", _say(one))


def _say(one: Summary) -> str:
    whose = one.address or "other addresses"
    said = f"refused {one.refused} more requests from {whose} without a valid token"
    return f"{said}, {one.limited} of them with 429" if one.limited else said
