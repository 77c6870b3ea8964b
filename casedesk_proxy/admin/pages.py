"""The admin listener: /healthz, /readyz, /status, /metrics and /keys, never on the public port."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from casedesk_proxy import __version__, jsonio
from casedesk_proxy.admin.all_instances import METRICS_TYPE, instance_routes
from casedesk_proxy.admin.key_api import key_routes
from casedesk_proxy.admin.served import Served
from casedesk_proxy.auth.browsers import require_own_host, require_own_site
from casedesk_proxy.errors import Forbidden
from casedesk_proxy.ledger.key_use import Used
from casedesk_proxy.ledger.postgres import RowForwarder
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.swagger.routes import ON_ADMIN, swagger_routes
from casedesk_proxy.telemetry.metrics import join_in_turns
from casedesk_proxy.upstream.dispatch import Failover

__all__ = [
    "STARTED",
    "admin_app",
    "describe_status",
    "format_stream_count",
    "is_ready",
    "summarise",
]

#: When the process began to serve, in seconds since 1970.
STARTED = time.time()


def admin_app(served: Served) -> web.Application:
    """The application for the admin listener."""

    @web.middleware
    async def keep_pages_out(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            require_own_site(request.method, request.raw_headers, served.admin_hosts)
            require_own_host(request.method, "/", request.raw_headers, served.admin_hosts)
        except Forbidden as error:
            return web.Response(text=f"{error.message}\n", status=error.status)
        return await handler(request)

    async def index(request: web.Request) -> web.Response:
        pages = "/console/\n/healthz\n/readyz\n/status\n/metrics\n/keys\n/key-audit\n/swagger-ui\n"
        return web.Response(text=f"{pages}/api-docs/openapi-admin.json\n")

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(request: web.Request) -> web.Response:
        ready = is_ready(served, asyncio.get_running_loop().time())
        return web.Response(
            text="ready\n" if ready else "not ready\n", status=200 if ready else 503
        )

    async def status(request: web.Request) -> web.Response:
        phases = await served.count_phases()
        body = jsonio.dumps(describe_status(served, phases, asyncio.get_running_loop().time()))
        return web.Response(body=body, content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        headers = {"Content-Type": METRICS_TYPE}
        return web.Response(body=await join_in_turns(served.metrics.write()), headers=headers)

    app = web.Application(middlewares=[keep_pages_out])
    app.router.add_get("/", index)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/status", status)
    app.router.add_get("/metrics", metrics)
    app.add_routes(instance_routes(served.siblings))
    app.add_routes(key_routes(served))
    app.add_routes(swagger_routes(ON_ADMIN))
    return app


def is_ready(served: Served, now: float) -> bool:
    """Whether the proxy serves and at least one node is usable."""
    return not served.draining and any(_is_usable(one, now) for one in served.nodes.values())


def _is_usable(state: NodeState, now: float) -> bool:
    """A full node is usable, since requests wait for it."""
    return state.is_healthy(now) and not state.draining


def format_stream_count(count: int) -> str:
    return f"{count} {'stream' if count == 1 else 'streams'}"


def summarise(served: Served, now: float) -> str:
    """The state in one line, as `systemctl status` shows it. ``now`` by the loop's clock."""
    streams, states = len(served.watch), served.nodes.values()
    usable = sum(_is_usable(state, now) for state in states)
    parts = [
        f"{'draining' if served.draining else 'serving'} {format_stream_count(streams)}",
        f"{usable} of {len(states)} nodes usable",
    ]
    if waiting := sum(served.waiting.values()):
        parts.append(f"{waiting} waiting")
    if (until := served.certificate_until) is not None and until <= time.time():
        parts.append("CERTIFICATE EXPIRED")
    if served.config_status.refusal:
        parts.append(f"CONFIGURATION REFUSED: {served.config_status.refusal}")
    return "; ".join(parts)


def describe_status(served: Served, phases: Mapping[str, int], now: float) -> dict[str, Any]:
    """The status page: nodes, streams, models. Names only; no addresses of nodes, no credentials.

    ``phases``: how many exchanges are in each. ``now`` by the loop's clock; times in the reply are
    seconds since the epoch.
    """
    configured = served.config_status
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started": round(STARTED, 3),
        "ready": is_ready(served, now),
        "draining": served.draining,
        "listen": served.urls,
        "config": {
            "loaded": round(configured.loaded, 3),
            "tried": round(configured.tried, 3),
            "refusal": configured.refusal or None,
        },
        "certificate": {"until": served.certificate_until},
        "state": _describe_store(served.store),
        "database": _describe_database(served.forwarder),
        "keys": {name: _describe_use(used) for name, used in served.key_use.by_key.items()},
        "streams": len(served.watch),
        "exchanges": dict(phases),
        "waiting": dict(served.waiting),
        "connections": served.connections,
        "nodes": {name: _describe_node(served, name, now) for name in served.nodes},
        "failovers": [_describe_failover(one, now) for one in reversed(served.failovers)],
    }


def _describe_node(served: Served, name: str, now: float) -> dict[str, Any]:
    state, reported = served.nodes[name], served.metadata.reported
    return {
        "healthy": state.is_healthy(now),
        "hung": state.hung,
        "lacks": [{"model": model, "action": action} for model, action in state.lacking(now)],
        "full": state.is_full(now),
        "full_for": state.full_for(now),
        "available": state.is_available(now),
        "in_flight": state.in_flight,
        "elsewhere": state.elsewhere,
        "limit": state.capacity,
        "draining": state.draining,
        "asked": state.served,
        "weight": state.weight,
        "last_error": state.last_error,
        "last_error_at": _epoch(state.breaker.last_error_at, now),
        "cooling_until": _epoch(state.breaker.open_until or None, now),
        "models": [model.name for model in reported[name]] if name in reported else None,
        "contexts": {
            model.name: {
                "length": model.context_length,
                "trained": model.trained_length,
                "cut_to": served.cut_prompts.get((name, model.name)),
            }
            for model in reported.get(name, ())
            if model.context_length
            or model.trained_length
            or (name, model.name) in served.cut_prompts
        },
        "advice": list(served.metadata.advice.get(name, ())),
        "left_out": {
            model: sorted(controls)
            for (node, model), controls in served.refused_controls.items()
            if node == name
        },
    }


def _describe_store(store: StoreWriter | None) -> dict[str, Any] | None:
    """None if nothing is stored."""
    if store is None:
        return None
    return {
        "file": str(store.path),
        "fault": store.fault or None,
        "waiting": store.waiting,
        "dropped": store.dropped,
    }


def _describe_database(forwarder: RowForwarder | None) -> dict[str, Any] | None:
    """None if the ledger has only its file."""
    if forwarder is None:
        return None
    return {"fault": forwarder.fault or None, "behind": forwarder.behind}


def _describe_use(used: Used) -> dict[str, int]:
    """Counted since the process began."""
    return {
        "exchanges": used.exchanges,
        "prompt": used.prompt,
        "cached": used.cached,
        "output": used.output,
    }


def _describe_failover(one: Failover, now: float) -> dict[str, Any]:
    return {
        "at": _epoch(one.at, now),
        "deployment": one.deployment,
        "model": one.model,
        "from": one.from_node,
        "why": one.why,
        "to": one.to_node,
    }


def _epoch(when: float | None, now: float) -> float | None:
    """A time by the loop's clock as seconds since the epoch."""
    return None if when is None else round(time.time() - now + when, 3)
