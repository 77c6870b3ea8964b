"""Pages of all instances of this host in one place: the page of each.

    GET /all/status                 {"instances": {name: …}}, null for one that does not answer
    GET /all/console/api/status     the same for the console's status
    GET /all/metrics                one text, each sample with the label ``instance``

An instance that shares nothing with others shows only itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.instances.siblings import Siblings
from casedesk_proxy.telemetry.merged_metrics import merge_metrics

__all__ = ["METRICS_TYPE", "instance_routes"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ALONE = "this instance shares nothing with others: server.instances_directory is not set\n"


def instance_routes(siblings: Siblings | None) -> list[web.RouteDef]:
    async def ask(path: str) -> Mapping[str, bytes | None]:
        if siblings is None:
            raise web.HTTPNotFound(text=_ALONE)
        return await siblings.ask(path)

    async def show(request: web.Request) -> web.Response:
        answers = await ask(request.path.removeprefix("/all"))
        found = {name: body and jsonio.loads(body) for name, body in answers.items()}
        return web.Response(
            body=jsonio.dumps({"instances": found}), content_type="application/json"
        )

    async def show_metrics(request: web.Request) -> web.Response:
        answers = await ask("/metrics")
        texts = {name: body for name, body in answers.items() if body is not None}
        merged = await asyncio.to_thread(merge_metrics, texts)
        return web.Response(body=merged, headers={"Content-Type": METRICS_TYPE})

    return [
        web.get("/all/status", show),
        web.get("/all/console/api/status", show),
        web.get("/all/metrics", show_metrics),
    ]
