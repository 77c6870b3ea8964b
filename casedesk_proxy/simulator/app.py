"""The simulated node itself: listens, reads requests strictly, answers by script.

Made for tests, benchmarks and ``casedesk-proxy demo``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from casedesk_proxy import jsonio
from casedesk_proxy.errors import NotFound, ProxyError
from casedesk_proxy.simulator.playback import play
from casedesk_proxy.simulator.routes import (
    MODELS,
    fail,
    guess_surface,
    read_json,
    read_path,
    speak,
)
from casedesk_proxy.simulator.script import HEADER, PRESETS, Script, find_script
from casedesk_proxy.surfaces.anthropic import require_version
from casedesk_proxy.surfaces.envelopes import error_reply, list_reply, model_reply
from casedesk_proxy.terms import Action, Call, Dialect, ModelInfo, RawHeaders

__all__ = ["Received", "Simulator", "start"]

#: The longest request line and header field that are accepted, in bytes.
_MAX_LINE_BYTES = 65536
#: The context of every model, in tokens.
_CONTEXT_TOKENS = 32768


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A request as on the wire. ``closed`` is done when its connection has ended, with the loop's
    time; ``answered`` when its answer was sent as far as its script says."""

    method: str
    target: str = field(repr=False)
    headers: RawHeaders = field(repr=False)
    body: bytes
    closed: asyncio.Future[float] = field(repr=False)
    answered: asyncio.Future[None] = field(repr=False)

    def header(self, name: str) -> list[bytes]:
        """The values of every line with that name."""
        wanted = name.lower().encode()
        return [value for key, value in self.headers if key.lower() == wanted]


class Simulator(web.Server):
    """A running node, see ``start``. ``requests`` are the latest ones."""

    def __init__(self, *, pace: float, models: Mapping[str, Script], keep: int) -> None:
        super().__init__(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_LINE_BYTES,
        )
        self.url = ""
        self.port = 0
        self.requests: deque[Received] = deque(maxlen=keep)
        self._pace = pace
        self._scripts = {**PRESETS, **models}
        self._listener: asyncio.Server | None = None
        self._open: dict[object, list[Received]] = {}
        self._arrival = asyncio.Condition()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self, host, port, ssl=tls, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"

    async def stop(self) -> None:
        """Close everything at once; running replies are cut."""
        if self._listener is not None:
            self._listener.close()
        await self.shutdown(0)

    async def arrived(self, count: int) -> Received:
        """The request with the number ``count`` among the kept ones, as soon as it arrives."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        now = asyncio.get_running_loop().time()
        for received in self._open.pop(handler, ()):
            received.closed.set_result(now)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        received = await self._record(request, body)
        surface = guess_surface(request)
        try:
            response = await self._answer(request, body)
        except ProxyError as error:
            made = error_reply(surface, error, "req_simulated")
            headers = {name.decode(): value.decode() for name, value in made.headers}
            response = web.Response(status=made.status, body=made.body, headers=headers)
        except ConnectionError:
            # The client closed during a write: treated as if it had been noticed before.
            raise asyncio.CancelledError from None
        if received is not None:
            received.answered.set_result(None)
        return response

    async def _record(self, request: web.BaseRequest, body: bytes) -> Received | None:
        if not self.requests.maxlen:
            return None
        loop = asyncio.get_running_loop()
        received = Received(
            request.method,
            request.raw_path,
            request.raw_headers,
            body,
            loop.create_future(),
            loop.create_future(),
        )
        self.requests.append(received)
        self._open.setdefault(request.protocol, []).append(received)
        async with self._arrival:
            self._arrival.notify_all()
        return received

    async def _answer(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if request.method == "GET" and path == "/health":
            return web.json_response({"status": "ok"})
        if request.method == "GET" and (match := MODELS.fullmatch(path)):
            return self._show_models(request, match[2], query)
        if request.method != "POST":
            raise NotFound(f"nothing at {path}")
        surface, action, model = read_path(path)
        if surface is Dialect.ANTHROPIC:
            require_version(request.raw_headers)
        value = read_json(body)
        name = value.get("model") if model is None else model
        script = self._find(name).amended(request.headers.get(HEADER, ""))
        await asyncio.sleep(script.head_delay)
        if script.status != 200:
            return fail(surface, action, script, query)
        assert isinstance(name, str), "only names have scripts"
        reply = speak(surface, action, value, name, script, query)
        pace = self._pace if script.words_per_second is None else script.words_per_second
        return await play(request, reply, script, pace)

    def _find(self, name: Any) -> Script:
        script = find_script(name, self._scripts) if isinstance(name, str) else None
        if script is None:
            raise NotFound(f"the simulated node has no model {name!r}", code="model_not_found")
        return script

    def _show_models(
        self, request: web.BaseRequest, encoded: str | None, query: str
    ) -> web.StreamResponse:
        surface = guess_surface(request)
        if encoded is None:
            call = Call(surface, Action.LIST_MODELS, None, query=query)
            return web.json_response(body=jsonio.dumps(list_reply(call, self._catalogue())))
        name = unquote(encoded)
        self._find(name)
        return web.json_response(body=jsonio.dumps(model_reply(surface, _model(name))))

    def _catalogue(self) -> Sequence[ModelInfo]:
        return [_model(name) for name in self._scripts]


async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    pace: float = 20.0,
    models: Mapping[str, Script] | None = None,
    keep: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Simulator:
    """A simulated node that listens; ``port`` 0 uses a free one. Raises OSError.

    ``pace``: words per second if a script has none. ``models``: scripts by model name besides
    PRESETS. ``keep``: how many requests, bodies included, are kept for tests.
    """
    simulator = Simulator(pace=pace, models=models or {}, keep=keep)
    await simulator.listen(host, port, tls)
    return simulator


def _model(name: str) -> ModelInfo:
    return ModelInfo(
        name, context_length=_CONTEXT_TOKENS, owned_by="simulator", embeds=name == "sim-embed"
    )
