"""Running and waiting requests, as rows for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.replying.record import CallFacts, Phase, PlanFacts
from casedesk_proxy.upstream.attempts import Attempts

__all__ = [
    "MAX_ROWS",
    "MaySee",
    "Running",
    "RunningExchange",
    "describe_stream",
    "list_queue",
    "list_streams",
]

#: Rows of one table: more than people read, and few enough to be sent twice a second.
MAX_ROWS = 200
#: Exchanges that are examined for one table, so that ten thousand cost no more.
_MAX_LOOKED_AT_EXCHANGES = 20_000


class RunningExchange(Protocol):
    """See `server.exchanges.Exchange`."""

    request_id: str
    started: float
    call: CallFacts
    planned: PlanFacts
    attempts: Attempts

    @property
    def flow(self) -> Flow | None: ...


class Running(Protocol):
    """See `server.exchanges.Exchanges`: ``live`` in order of arrival."""

    @property
    def live(self) -> Any: ...

    def cancel(self, exchange: Any) -> None: ...


MaySee = Callable[[str], bool]


def list_streams(
    live: dict[Any, None], may_see: MaySee, now: float, epoch: float, *, sees_all: bool
) -> dict[str, Any]:
    """The newest first. ``now`` by the loop's clock, ``epoch`` the difference to seconds since
    1970."""
    if sees_all:
        total = len(live)
        shown: list[RunningExchange] = list(islice(reversed(live), MAX_ROWS))
    else:
        own = [
            one for one in islice(reversed(live), _MAX_LOOKED_AT_EXCHANGES) if may_see(one.call.key)
        ]
        total, shown = len(own), own[:MAX_ROWS]
    return {"total": total, "rows": [describe_stream(one, now, epoch) for one in shown]}


def describe_stream(one: RunningExchange, now: float, epoch: float) -> dict[str, Any]:
    """Times in seconds; ``started`` since 1970. ``tokens`` are the pieces that arrived: the node's
    own counts come at the end."""
    call, attempts, flow = one.call, one.attempts, one.flow
    age = max(now - one.started, 0.0)
    streams = flow is not None and attempts.phase is Phase.STREAMING
    events = flow.events if streams and flow is not None else None
    rate = None if not events or age <= 0 else round(events / age, 1)
    return {
        "id": one.request_id,
        "key": call.key,
        "deployment": call.deployment,
        "surface": call.surface,
        "model": one.planned.model or one.planned.asked,
        "node": attempts.node,
        "state": attempts.phase.value,
        "started": round(epoch + one.started, 3),
        "age_s": round(age, 1),
        "tokens": events,
        "tokens_per_second": rate,
        "bytes": flow.sent if flow is not None else 0,
        "queued_s": round(attempts.queued, 3),
    }


def list_queue(
    live: dict[Any, None], places: Mapping[int, int], may_see: MaySee, now: float
) -> dict[str, Any]:
    """``places``: the places of tickets, by identity, in their queues, from 1. The next first."""
    rows = [
        _waiting(one, places[id(one.attempts.ticket)], now)
        for one in islice(_queued(live), _MAX_LOOKED_AT_EXCHANGES)
        if id(one.attempts.ticket) in places and may_see(one.call.key)
    ]
    rows.sort(key=lambda row: (row["position"], row["deployment"]))
    return {"total": len(rows), "rows": rows[:MAX_ROWS]}


def _queued(live: dict[Any, None]) -> Iterator[RunningExchange]:
    return (one for one in live if one.attempts.phase is Phase.QUEUED)


def _waiting(one: RunningExchange, position: int, now: float) -> dict[str, Any]:
    return {
        "id": one.request_id,
        "position": position,
        "key": one.call.key,
        "deployment": one.call.deployment,
        "model": one.planned.model or one.planned.asked,
        "waiting_s": round(max(now - one.started, 0.0), 1),
    }
