"""The admin listener's server, from its start to its end."""

from __future__ import annotations

import functools
import socket
from collections.abc import Sequence

from aiohttp import web

from casedesk_proxy.admin.timeouts import with_timeouts
from casedesk_proxy.config.schema import Server
from casedesk_proxy.server.listeners import Listeners

__all__ = ["AdminSide"]

#: Seconds that open pages have when the process ends: only status pages stay open that long.
_SHUTDOWN_S = 1.0


class AdminSide:
    """``urls``: where it listens."""

    def __init__(self, inherited: Sequence[socket.socket]) -> None:
        self.listeners = Listeners(inherited)
        #: Where other instances send requests.
        self._beside = Listeners()
        self.urls = self.listeners.urls
        self._runner: web.AppRunner | None = None

    async def start(
        self,
        app: web.Application,
        sockets: Sequence[socket.socket],
        settings: Server,
        beside: str | None = None,
    ) -> None:
        """``beside``: one more address, for other instances. Raises OSError."""
        runner = self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=settings.keepalive_timeout,
            handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S,
        )  # fmt: skip
        await runner.setup()
        assert runner.server is not None
        make = functools.partial(
            with_timeouts, runner.server, settings.header_timeout, settings.send_timeout
        )
        for sock in sockets:
            await self.listeners.serve(sock, make)
        for sock in self._beside.open(beside):
            await self._beside.serve(sock, make)

    async def stop(self) -> None:
        self.listeners.close()
        self._beside.close()
        if self._runner is not None:
            await self._runner.cleanup()
