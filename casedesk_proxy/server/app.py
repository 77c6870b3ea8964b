"""The serving side put together: dispatcher, metadata, handler and listeners, in order."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from aiohttp import web

from casedesk_proxy.config.schema import Config, Server
from casedesk_proxy.errors import NoNode
from casedesk_proxy.exchange.outcome import Terminal
from casedesk_proxy.exchange.snapshot import compile_snapshot
from casedesk_proxy.server.accesslog import Sink, access_log
from casedesk_proxy.server.admin import admin_app
from casedesk_proxy.server.connection import PublicServer
from casedesk_proxy.server.handler import Handler
from casedesk_proxy.server.listen import BACKLOG, bind, describe
from casedesk_proxy.server.metrics import Metrics
from casedesk_proxy.server.watch import Watch
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["Gateway"]

#: Seconds for which the first look at the nodes may keep start-up waiting.
FIRST_ROUND = 2.0
#: Seconds in which streams that were told to end may do so.
FAREWELL = 1.0


class Gateway:
    """One configuration, served. ``start`` first, then ``drain``, then ``stop``."""

    def __init__(self, config: Config, secrets: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        snapshot = compile_snapshot(config, secrets)
        self._config = config
        self._listeners: list[asyncio.Server] = []
        self._admin: web.AppRunner | None = None
        self._refresher: asyncio.Task[None] | None = None
        self.draining = False
        self.metrics = Metrics()
        self.dispatcher = Dispatcher(loop)
        self.dispatcher.adopt(snapshot)
        self.metadata = Metadata(loop)
        self.metadata.adopt(snapshot)
        self._handler = Handler(loop, snapshot, self.dispatcher, self.metadata, self._sinks())
        self._public = PublicServer(
            self._handler.handle,
            self._handler.reject,
            head_timeout=config.server.header_timeout,
            idle_timeout=config.server.keepalive_timeout,
        )
        #: Where the public side listens, as URLs.
        self.urls: list[str] = []
        self.admin_urls: list[str] = []

    @property
    def watch(self) -> Watch:
        return self._handler.watch

    async def start(self) -> None:
        """Listen and serve. Raises OSError where an address or a TLS file cannot be used."""
        settings = self._config.server
        loop = asyncio.get_running_loop()
        tls = _client_tls(settings)
        with contextlib.closing(bind(settings.listen)) as sock:
            # create_server listens once more, with a backlog of its own.
            listener = await loop.create_server(
                self._public, sock=sock.dup(), ssl=tls, backlog=BACKLOG
            )
            self.urls.append(describe(sock, secure=tls is not None))
        self._listeners.append(listener)
        if settings.admin is not None:
            await self._start_admin(settings.admin)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.metadata.refresh(), FIRST_ROUND)
        self._refresher = loop.create_task(self.metadata.keep_fresh(), name="metadata")

    async def drain(self, timeout: float) -> None:
        """Accept no more, let streams run to their end for ``timeout`` seconds, then tell the
        rest that the service stops. Idle connections are closed at once."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        self._public.close_idle()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._handler.wait_quiet(), timeout)
        for relay in self.watch.relays:
            relay.cut(Terminal.SHUT_DOWN, NoNode("the service is restarting"))

    async def stop(self) -> None:
        """Close everything that is still open. ``drain`` comes first for a gentle end."""
        if self._refresher is not None:
            self._refresher.cancel()
        for listener in self._listeners:
            listener.close()
        await self._public.close(FAREWELL)
        if self._admin is not None:
            await self._admin.cleanup()
        self.dispatcher.close()

    def _sinks(self) -> tuple[Sink, ...]:
        settings = self._config.server
        log = (access_log(settings.log_format),) if settings.access_log else ()
        return (self.metrics.count, *log)

    async def _start_admin(self, address: str) -> None:
        self._admin = web.AppRunner(admin_app(self), access_log=None)
        await self._admin.setup()
        sock = bind(address)
        self.admin_urls.append(describe(sock))
        await web.SockSite(self._admin, sock).start()


def _client_tls(settings: Server) -> ssl.SSLContext | None:
    if settings.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.tls.cert, settings.tls.key)
    context.set_alpn_protocols(["http/1.1"])
    return context
