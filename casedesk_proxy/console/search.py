"""Searches all running requests: those that contain a text, in a chosen order, in pages.

    GET /console/api/streams?find=gpt+alice&sort=tokens_per_second&order=ascending&skip=200

Requests maintain nothing for it, and however many people search, it takes a small share of a core:
one search runs at a time, and the next begins after a pause.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from casedesk_proxy.console.desk import Caller, Desk, reply
from casedesk_proxy.console.running import MAX_ROWS, MaySee, RunningExchange, describe_stream
from casedesk_proxy.console.walking import Walker
from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.terms import record
from casedesk_proxy.wire.query import read_number

__all__ = ["Hits", "Search", "Wanted", "read_wanted"]

_SHARE = 0.02
#: How many searches may wait for their turn.
_MAX_WAITING_SEARCHES = 20
_MAX_SKIPPED_ROWS = 100_000
_MAX_TEXT_CHARS = 200


def _tokens(one: RunningExchange, now: float) -> float:
    return -1 if one.flow is None else one.flow.events


def _tokens_per_second(one: RunningExchange, now: float) -> float:
    return _tokens(one, now) / max(now - one.started, 0.001)


#: The sort orders besides the age, each with its sort key.
_SORTS: dict[str, Callable[[RunningExchange, float], Any]] = {
    "key": lambda one, now: one.call.key,
    "model": lambda one, now: one.planned.model or one.planned.asked,
    "node": lambda one, now: one.attempts.node,
    "surface": lambda one, now: one.call.surface,
    "state": lambda one, now: one.attempts.phase.value,
    "tokens": _tokens,
    "tokens_per_second": _tokens_per_second,
}
_AGE = "age"
_DIRECTIONS = ("ascending", "descending")


@record
class Wanted:
    """``words``: all of them must be in a request's text, ignoring case; ``skip``: rows left
    out."""

    words: tuple[str, ...] = ()
    sort: str = _AGE
    descends: bool = False
    skip: int = 0


def read_wanted(query: Mapping[str, str]) -> Wanted:
    """Raises BadRequest."""
    sort, order = query.get("sort", _AGE), query.get("order", _DIRECTIONS[0])
    if sort not in (_AGE, *_SORTS):
        raise BadRequest(f"sort must be {', '.join(_SORTS)} or {_AGE}")
    if order not in _DIRECTIONS:
        raise BadRequest("order must be ascending or descending")
    skip = read_number(query.get("skip", "0"), 0, _MAX_SKIPPED_ROWS)
    if skip is None:
        raise BadRequest(f"skip must be a number from 0 to {_MAX_SKIPPED_ROWS}")
    words = query.get("find", "")[:_MAX_TEXT_CHARS].casefold().split()
    return Wanted(tuple(words), sort, order == _DIRECTIONS[1], skip)


class Search:
    """One for each listener."""

    def __init__(self, walker: Walker | None = None) -> None:
        self._walker = walker or Walker(_SHARE)
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def show(self, desk: Desk, request: web.Request) -> web.StreamResponse:
        caller, wanted = desk.require_caller(request), read_wanted(request.query)
        if self._waiting >= _MAX_WAITING_SEARCHES:
            raise ProxyError(
                "too many searches at once; repeat the search a second later",
                status=503,
                code="too_many_searches",
            )
        self._waiting += 1
        try:
            async with self._turn:
                await asyncio.sleep(self._walker.rest_s)
                return reply(await self._find(desk, caller, wanted))
        finally:
            self._waiting -= 1

    async def _find(self, desk: Desk, caller: Caller, wanted: Wanted) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        hits = Hits(caller.may_see, wanted, now)
        live = list(desk.running.live)
        if wanted.sort == _AGE and not wanted.descends:
            live.reverse()
        await self._walker.walk(live, hits.look)
        epoch = time.time() - now
        return {
            "total": hits.total,
            "found": hits.found,
            "skip": wanted.skip,
            "rows": [describe_stream(one, now, epoch) for one in hits.first[wanted.skip :]],
        }


class Hits:
    """The results so far. ``total``: requests that the caller may see, ``found``: those that match,
    ``first``: the first of them, no more than are shown and skipped."""

    def __init__(self, may_see: MaySee, wanted: Wanted, now: float) -> None:
        self._may_see, self._words, self._now = may_see, wanted.words, now
        self._rank = _SORTS.get(wanted.sort)
        self._pick = heapq.nlargest if wanted.descends else heapq.nsmallest
        self._most = wanted.skip + MAX_ROWS
        self.total = self.found = 0
        self.first: list[RunningExchange] = []

    def look(self, part: Sequence[RunningExchange]) -> None:
        """Examine the next requests."""
        seen = [one for one in part if self._may_see(one.call.key)]
        found = [one for one in seen if _has(one, self._words)] if self._words else seen
        self.total += len(seen)
        self.found += len(found)
        if (rank := self._rank) is not None:
            now = self._now
            self.first = self._pick(self._most, self.first + found, key=lambda one: rank(one, now))
        elif (room := self._most - len(self.first)) > 0:
            self.first += found[:room]


def _has(one: RunningExchange, words: Sequence[str]) -> bool:
    call, planned = one.call, one.planned
    text = (
        f"{one.request_id} {call.key} {call.deployment} {call.surface} {planned.model}"
        f" {planned.asked} {one.attempts.node} {one.attempts.phase.value}"
    ).casefold()
    return all(word in text for word in words)
