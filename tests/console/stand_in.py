"""A console whose figures are made up, in front of a real gateway: the pages' other half in tests.

It serves the package's pages under the package's headers, checks a session, answers the console's
JSON, and passes what is below /proxy, and what becomes of keys, on to a gateway. What it relays is among its streams, and its
cancelling leaves the gateway as a client does that goes.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

from casedesk_proxy.console.files import file_routes
from casedesk_proxy.console.hardening import harden
from casedesk_proxy.server.app import Gateway
from tests.console import scenes

__all__ = ["StandIn", "stand_in"]

_COOKIE = "session"
_NOBODY = {"signed_in": False, "ways": ["key", "password"]}
_ANNA = {
    "signed_in": True, "name": "anna", "how": "key", "admin": True, "deployments": None,
    "expires": None, "idle_expires": None, "ways": ["key", "password"],
}  # fmt: skip


class StandIn:
    """``cancelled`` has the ids of streams, with the loop's time."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self.url = ""
        self.cancelled: list[tuple[str, float]] = []
        self._gateway, self._admin = gateway.urls[0], gateway.admin_urls[0]
        self._key, self._credential = key, {"Authorization": f"Bearer {key}"}
        self._session = ""
        self._streams = {one["id"]: one for one in scenes.streams()}
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._change = asyncio.Condition()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/console/api/session", self._show_session),
            web.post("/console/api/session", self._sign_in),
            web.delete("/console/api/session", self._sign_out),
            web.get("/console/api/events", self._events),
            web.post("/console/api/streams/{id}/cancel", self._cancel),
            web.get("/console/api/deployments", self._deployments),
            web.get("/console/api/usage", self._usage),
            web.route("*", "/console/api/keys", self._keys),
            web.route("*", "/console/api/keys/{name}", self._keys),
            web.post("/proxy/{rest:.*}", self._relay),
        ]

    def _signed_in(self, request: web.Request) -> bool:
        return bool(self._session) and request.cookies.get(_COOKIE) == self._session

    def _check(self, request: web.Request) -> None:
        if not self._signed_in(request):
            raise web.HTTPUnauthorized(text="{}", content_type="application/json")

    async def _show_session(self, request: web.Request) -> web.Response:
        return web.json_response(_ANNA if self._signed_in(request) else _NOBODY)

    async def _sign_in(self, request: web.Request) -> web.Response:
        if (await request.json()).get("key") != self._key:
            said = {"code": "wrong_credentials", "message": "The key is not known.", "field": ""}
            return web.json_response({"error": said}, status=401)
        self._session = secrets.token_urlsafe()
        reply = web.json_response(_ANNA)
        reply.set_cookie(_COOKIE, self._session, httponly=True, samesite="Strict")
        return reply

    async def _sign_out(self, request: web.Request) -> web.Response:
        self._session = ""
        reply = web.Response(status=204)
        reply.del_cookie(_COOKIE)
        return reply

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for name in ("nodes", "queue", "failures", "config"):
            await _send(reply, name, getattr(scenes, name.upper()))
        while True:
            rows = list(self._streams.values())
            await _send(reply, "streams", {"total": len(rows), "rows": rows})
            async with self._change:
                await self._change.wait()

    async def _changed(self) -> None:
        async with self._change:
            self._change.notify_all()

    async def _cancel(self, request: web.Request) -> web.Response:
        self._check(request)
        name = request.match_info["id"]
        self.cancelled.append((name, asyncio.get_running_loop().time()))
        if (task := self._running.get(name)) is not None:
            task.cancel()
        self._streams.pop(name, None)
        await self._changed()
        return web.json_response({"cancelled": name}, status=202)

    async def _deployments(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response({"deployments": scenes.DEPLOYMENTS})

    async def _usage(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response({"time_zone": "UTC", "days": scenes.usage()})

    async def _keys(self, request: web.Request) -> web.Response:
        self._check(request)
        path = request.path.removeprefix("/console/api")
        async with ClientSession(self._admin, headers=self._credential) as session:
            body = await request.read() or None
            async with session.request(request.method, path, data=body) as got:
                return web.Response(
                    body=await got.read(), status=got.status, content_type="application/json"
                )

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        body = await request.read()
        name = f"req_{secrets.token_hex(4)}"
        task = asyncio.create_task(self._pass_on(request, body, name))
        self._running[name] = task
        self._streams = {name: _row(name, body, request.path), **self._streams}
        await self._changed()
        try:
            return await task
        except asyncio.CancelledError:
            if request.transport is not None:
                request.transport.abort()
            raise
        finally:
            self._running.pop(name)
            self._streams.pop(name, None)
            await self._changed()

    async def _pass_on(self, request: web.Request, body: bytes, name: str) -> web.StreamResponse:
        headers = {**self._credential, "Content-Type": "application/json"}
        if "anthropic-version" in request.headers:
            headers["anthropic-version"] = request.headers["anthropic-version"]
        asked = ClientSession()
        try:
            async with asked.post(
                self._gateway + request.path_qs, data=body, headers=headers
            ) as got:
                reply = web.StreamResponse(
                    status=got.status, headers={"Content-Type": got.headers["Content-Type"]}
                )
                await reply.prepare(request)
                async for piece in got.content.iter_any():
                    await reply.write(piece)
                await reply.write_eof()
                return reply
        finally:
            await asked.close()


async def _send(reply: web.StreamResponse, name: str, value: Any) -> None:
    await reply.write(f"event: {name}\ndata: {json.dumps(value)}\n\n".encode())


def _row(name: str, body: bytes, path: str) -> dict[str, Any]:
    model = json.loads(body).get("model") or path.rpartition("/")[2].partition(":")[0]
    return {
        "id": name, "key": "anna", "deployment": "desk", "surface": "gemini", "model": model,
        "node": "gpu-1", "state": "streaming", "started": time.time(), "age_s": 0.0, "tokens": 1,
        "tokens_per_second": None, "bytes": 0, "queued_s": 0.0,
    }  # fmt: skip


@asynccontextmanager
async def stand_in(gateway: Gateway, key: str) -> AsyncIterator[StandIn]:
    made = StandIn(gateway, key)
    app = web.Application()
    app.add_routes([*made.routes(), *file_routes()])
    app.on_response_prepare.append(harden)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
