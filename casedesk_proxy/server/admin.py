"""The admin listener: /healthz, /readyz, /status and /metrics. Never on the public port."""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiohttp import web

from casedesk_proxy import __version__, jsonio
from casedesk_proxy.server.metrics import Metrics
from casedesk_proxy.server.watch import Watch
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["Served", "admin_app"]


class Served(Protocol):
    """What the admin pages look at."""

    dispatcher: Dispatcher
    metadata: Metadata
    metrics: Metrics

    @property
    def watch(self) -> Watch: ...

    @property
    def draining(self) -> bool: ...


def admin_app(served: Served) -> web.Application:
    """The application for the admin listener."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(request: web.Request) -> web.Response:
        ready = is_ready(served)
        return web.Response(
            text="ready\n" if ready else "not ready\n", status=200 if ready else 503
        )

    async def status(request: web.Request) -> web.Response:
        body = jsonio.dumps(describe(served, asyncio.get_running_loop().time()))
        return web.Response(body=body, content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return web.Response(body=served.metrics.render(), headers={"Content-Type": kind})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/status", status)
    app.router.add_get("/metrics", metrics)
    return app


def is_ready(served: Served) -> bool:
    """Serving, and at least one node is usable."""
    now = asyncio.get_running_loop().time()
    states = served.dispatcher.states.values()
    return not served.draining and any(state.is_healthy(now) for state in states)


def describe(served: Served, now: float) -> dict[str, object]:
    """The status page: nodes, streams, models. Names only; no addresses, no credentials."""
    reported = served.metadata.reported
    return {
        "version": __version__,
        "draining": served.draining,
        "streams": len(served.watch.relays),
        "nodes": {
            name: {
                "healthy": state.is_healthy(now),
                "full": state.is_full(now),
                "available": state.is_available(now),
                "in_flight": state.in_flight,
                "limit": state.limit,
                "served": state.served,
                "last_error": state.last_error,
                "models": [model.name for model in reported[name]] if name in reported else None,
            }
            for name, state in served.dispatcher.states.items()
        },
    }
