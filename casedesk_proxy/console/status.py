"""The sections of the console's status: one function for each, from data that is already in
memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from casedesk_proxy import __version__
from casedesk_proxy.admin.pages import STARTED, is_ready
from casedesk_proxy.console.desk import Caller, Desk, reply
from casedesk_proxy.console.figures import ModelFigures
from casedesk_proxy.console.running import list_queue, list_streams
from casedesk_proxy.errors import NotFound
from casedesk_proxy.pools.node import NodeState

__all__ = ["SECTIONS", "cancel_stream", "describe_section", "show_status"]

_MAX_FAILURES = 50
#: How many models of one node are shown.
_MAX_MODELS = 50
_NOTHING = ModelFigures()


async def show_status(desk: Desk, request: web.Request) -> web.StreamResponse:
    caller = desk.require_caller(request)
    await desk.census.refresh()
    sections = {name: describe_section(desk, caller, name) for name in SECTIONS}
    return reply({"now": round(time.time(), 3), **sections.pop("about"), **sections})


def describe_section(desk: Desk, caller: Caller, name: str) -> Any:
    return SECTIONS[name](desk, caller)


async def cancel_stream(desk: Desk, request: web.Request) -> web.StreamResponse:
    """A caller's own; an admin may cancel any."""
    caller = desk.require_caller(request)
    wanted = request.match_info["id"]
    for one in desk.running.live:
        if one.request_id == wanted and (caller.principal.admin or one.call.key == _name(caller)):
            desk.running.cancel(one)
            return reply({"cancelled": wanted}, 202)
    raise NotFound(
        "no such stream is running, or it is not yours; look at the list of streams",
        code="stream_not_found",
    )


def _name(caller: Caller) -> str:
    return caller.principal.name if caller.way != "admin" else ""


def _about(desk: Desk, caller: Caller) -> dict[str, Any]:
    served = desk.served
    return {
        "version": __version__,
        "started": round(STARTED, 3),
        "ready": is_ready(served, _now()),
        "draining": served.draining,
        "tokens_per_second": desk.census.rate if caller.sees_all else None,
    }


def _streams(desk: Desk, caller: Caller) -> dict[str, Any]:
    now = _now()
    epoch = time.time() - now
    return list_streams(desk.running.live, caller.may_see, now, epoch, sees_all=caller.sees_all)


def _queue(desk: Desk, caller: Caller) -> dict[str, Any]:
    if not any(desk.served.waiting.values()):
        return {"total": 0, "rows": []}
    return list_queue(desk.running.live, desk.served.places(), caller.may_see, _now())


def _failures(desk: Desk, caller: Caller) -> list[dict[str, Any]]:
    return desk.figures.failures(caller.may_see, _MAX_FAILURES)


def _config(desk: Desk, caller: Caller) -> dict[str, Any]:
    known = desk.served.config_status
    refusal = known.refusal if caller.sees_all else ""
    return {
        "loaded": round(known.loaded, 3),
        "tried": round(known.tried, 3),
        "refusal": refusal or None,
    }


def _nodes(desk: Desk, caller: Caller) -> list[dict[str, Any]]:
    """The nodes of the caller's deployments. What a node said in an error is only for admins."""
    served, now = desk.served, _now()
    names = list(served.nodes)
    if not caller.sees_all:
        opened = caller.principal.deployments or ()
        deployments = served.serving.snapshot.deployments
        own = {
            node for one in opened if one in deployments for node in deployments[one].rules.nodes
        }
        names = [name for name in names if name in own]
    figures: dict[str, dict[str, ModelFigures]] = {}
    for (node, model), one in desk.figures.models.items():
        figures.setdefault(node, {})[model] = one
    return [
        {
            **_node(desk, caller, name, served.nodes[name], now),
            **_models(desk, name, figures.get(name, {})),
        }
        for name in names
    ]


def _node(desk: Desk, caller: Caller, name: str, state: NodeState, now: float) -> dict[str, Any]:
    return {
        "name": name,
        "state": _state(state, now),
        "healthy": state.is_healthy(now),
        "in_flight": state.in_flight,
        "limit": state.capacity,
        "waiting": desk.census.waiting_by_node[name],
        "asked": state.served,
        "last_error": state.last_error if caller.sees_all else "",
        "last_error_at": _epoch(state.breaker.last_error_at, now),
        "cooling_until": _epoch(state.breaker.open_until or None, now),
    }


def _state(state: NodeState, now: float) -> str:
    if state.draining:
        return "draining"
    if state.hung:
        return "hung"
    if not state.is_healthy(now):
        return "down"
    return "full" if state.is_full(now) else "up"


def _models(desk: Desk, node: str, figures: dict[str, ModelFigures]) -> dict[str, Any]:
    """The models that were used or are loaded, and as many of the rest as there is room for."""
    reported = {one.name: one for one in desk.served.metadata.reported.get(node, ())}
    names = [*reported, *(name for name in figures if name not in reported and name)]
    names.sort(key=lambda name: name not in figures and not (reported[name].loaded))
    rows = []
    for name in names[:_MAX_MODELS]:
        info, had = reported.get(name), figures.get(name, _NOTHING)
        rows.append(
            {
                "name": name,
                "loaded": None if info is None else info.loaded,
                "context": None if info is None else info.context_length,
                "streams": desk.census.streams[node, name],
                "waiting": desk.census.waiting[node, name],
                "requests": had.requests,
                "failures": had.failures,
                "tokens_per_second": had.tokens_per_second,
                "cached_share": had.cached_share,
            }
        )
    return {"models": rows, "models_left": len(names) - len(rows)}


def _now() -> float:
    return asyncio.get_running_loop().time()


def _epoch(when: float | None, now: float) -> float | None:
    return None if when is None else round(time.time() - now + when, 3)


#: By name, in the order of the page.
SECTIONS: dict[str, Callable[[Desk, Caller], Any]] = {
    "about": _about,
    "nodes": _nodes,
    "streams": _streams,
    "queue": _queue,
    "failures": _failures,
    "config": _config,
}
