"""The serving side: creates, starts and stops dispatcher, metadata, handler and listeners, in
order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace

from casedesk_proxy.admin.gauges import GaugeCollector
from casedesk_proxy.config.schema import Config, Server
from casedesk_proxy.errors import NoNode
from casedesk_proxy.instances.table import HostTable
from casedesk_proxy.ledger.postgres import RowForwarder
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.server.admin_side import AdminSide
from casedesk_proxy.server.arrivals import Arrivals
from casedesk_proxy.server.bookkeeping import Bookkeeping
from casedesk_proxy.server.chores import list_chores
from casedesk_proxy.server.console import ServedConsole
from casedesk_proxy.server.file_store import FilePlace, open_files
from casedesk_proxy.server.handler import Handler
from casedesk_proxy.server.hosts import are_local
from casedesk_proxy.server.listeners import Listeners
from casedesk_proxy.server.observed import Observed
from casedesk_proxy.server.pages import Pages
from casedesk_proxy.server.public import PublicServer
from casedesk_proxy.server.runtime import (
    ListenerTls,
    Listening,
    Runtime,
    Serving,
    compile_runtime,
    first_runtime,
    relocate,
    with_stored_keys,
)
from casedesk_proxy.server.upstream_side import UpstreamSide
from casedesk_proxy.server.waits import WAITS, Waits
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.accesslog import Sink
from casedesk_proxy.telemetry.config_status import ConfigStatus
from casedesk_proxy.telemetry.descriptors import DescriptorMonitor
from casedesk_proxy.telemetry.log_output import LogFormatter, flushed
from casedesk_proxy.telemetry.loop_lag import LoopLagMonitor
from casedesk_proxy.turns import Turns, in_turns

__all__ = ["Gateway"]

#: Each takes some 0.1 ms.
_CUTS_PER_TURN = 20


class Gateway(Observed):
    """Serves one configuration at a time. Call ``start`` first, then ``drain``, then ``stop``."""

    def __init__(
        self,
        config: Config,
        secrets: dict[str, str],
        *,
        log_formatter: LogFormatter | None = None,
        public: Sequence[socket.socket] = (),
        admin: Sequence[socket.socket] = (),
        sinks: Sequence[Sink] = (),
        store: StoreWriter | None = None,
        forwarder: RowForwarder | None = None,
        waits: Waits = WAITS,
        files: FilePlace | None = None,
        table: HostTable | None = None,
    ) -> None:
        """``log_formatter``: the format of the access log. Sockets that a service manager opened
        are served in place of the configured addresses. ``sinks`` get each exchange at its end,
        beside the metrics, the ledger and the access log. ``store``: the state file, started; None:
        nothing is stored. ``forwarder``: sends rows to a database; ``files``: where files are
        stored; ``table``: what instances share, None: nothing.

        Raises OSError if a TLS file cannot be used.
        """
        loop = asyncio.get_running_loop()
        self._waits = waits
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        self.serving = Serving(first_runtime(config, secrets, log_formatter or LogFormatter()))
        self.config_status = ConfigStatus(loaded=time.time(), tried=time.time())
        self.listeners, self._admin = Listeners(public), AdminSide(admin)
        #: The public side's URLs; filled by `start`.
        self.urls = self.listeners.urls
        self.admin_urls = self._admin.urls
        self._tls = ListenerTls(self.serving) if config.server.tls is not None else None

        turns = Turns(loop, budget_s=waits.turn_budget_s)
        self._upstream = UpstreamSide(loop, self.serving, waits, turns, table)
        self.dispatcher, self.metadata = self._upstream.dispatcher, self._upstream.metadata
        self.siblings = self._upstream.siblings

        self.store, self.forwarder = store, forwarder
        books = Bookkeeping(loop, self.serving, store, lambda: self._handler.limiter.take_keys())
        self.metrics, self.stored_keys, self.key_use = (
            books.metrics, books.stored_keys, books.key_use,
        )  # fmt: skip
        self.metrics.register(GaugeCollector(self))
        self._descriptors = DescriptorMonitor(self.metrics.count_exhaustion, loop.time)
        self._loop_lag = LoopLagMonitor(loop, self._observe_lag)

        self._console = ServedConsole(self.serving, store, self.stored_keys)
        self.files = open_files(self.serving, store, files)
        self._handler = Handler(
            loop, self.serving, self._upstream,
            books.list_recipients(self._console.figures.count, *sinks),
            waits=waits, past=books.past, files=self.files, sessions=self._console.sessions,
        )  # fmt: skip
        self.limiter, self.watch = self._handler.limiter, self._handler.watch
        self.planners = self._handler.planners
        self._apply(None)
        self._pages = Pages(self._console.make_public(self, self._handler.exchanges))
        self._public = self._make_public(config.server, turns)
        self._arrivals = Arrivals(loop, self.listeners, self._public, table)

    def _make_public(self, server: Server, turns: Turns) -> PublicServer:
        return PublicServer(
            self._pages.before(self._handler), self._handler.reject,
            head_timeout_s=server.header_timeout,
            idle_timeout_s=server.keepalive_timeout,
            handshake_timeout_s=self._waits.handshake_s if server.tls is not None else 0.0,
            limits=lambda: self.serving.current.limits, turns=turns,
        )  # fmt: skip

    async def start(self) -> None:
        """Listen and serve. Raises OSError if an address cannot be used."""
        if self.stored_keys is not None:
            await self.stored_keys.start()
        await self.limiter.start()
        settings = self.serving.current.config.server
        await self._console.sessions.look()
        await self._pages.start()
        public = self.listeners.open(settings.listen)
        where = Listening(public_is_local=are_local(public))
        self.serving.current = relocate(self.serving.current, where)
        for sock in public:
            await self._serve_public(sock)
        if admin := self._admin.listeners.open(settings.admin):
            where = replace(where, admin_is_local=are_local(admin))
            self.serving.current = relocate(self.serving.current, where)
        if admin or self.siblings is not None:
            app = self._console.make_admin(self, self._handler.exchanges)
            beside = None if self.siblings is None else self.siblings.address
            await self._admin.start(app, admin, settings, beside)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._waits.first_round_s):
                await self.metadata.refresh()
        for chore, name in self._upstream.list_chores():
            self._spawn(chore, name)
        self._spawn(self.limiter.follower.follow(), "limits")
        self._spawn(self._console.sessions.keep_current(), "sessions")
        for chore, name in list_chores(
            self.serving, self.store, self.forwarder, self.stored_keys, self.files
        ):
            self._spawn(chore, name)
        self._loop_lag.start()
        self._arrivals.start()

    def compile(self, config: Config, secrets: Mapping[str, str]) -> Runtime:
        """The argument for `apply`. Reads files, so it belongs into a thread; changes nothing.

        Raises OSError if a TLS file cannot be used.
        """
        return compile_runtime(config, secrets, self.serving.current)

    def apply(self, runtime: Runtime) -> None:
        """Serve another configuration from the next request on. Running exchanges keep theirs.
        Nothing here waits or can fail: that part is in `compile`."""
        before = self.serving.current
        self.serving.current = with_stored_keys(runtime, before.snapshot.stored_keys)
        self._apply(before.snapshot)
        self._spawn(self.metadata.refresh(), "metadata after a reload")

    def _apply(self, before: Snapshot | None) -> None:
        """What to do after another configuration than ``before`` has been applied, beyond reading
        it."""
        self._upstream.apply(before)
        self.limiter.apply()

    @property
    def admin_listeners(self) -> Listeners:
        return self._admin.listeners

    def still_fixed(self, keys: Sequence[str]) -> list[str]:
        """Those of ``keys`` that a restart would apply: not the addresses of inherited sockets."""
        listeners = {"server.listen": self.listeners, "server.admin": self._admin.listeners}
        unused = {key for key, side in listeners.items() if side.inherited}
        return [key for key in keys if key not in unused]

    async def take_keys(self) -> None:
        """Apply the keys that are in the state file now."""
        if self.stored_keys is not None:
            await self.stored_keys.take_changes()

    async def drain(self, timeout_s: float) -> None:
        """Report not ready, accept no more, close idle connections, let streams run for up to
        ``timeout_s``, then end the rest with an error that the service stops. Inherited
        sockets stay open with their owner, so new connections wait there."""
        self.draining = True
        self._arrivals.stop()
        self.listeners.close()
        self._public.close_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._public.wait_empty()
                await self._handler.exchanges.wait_quiet()
        await self._cut_streams()

    async def stop(self) -> None:
        """End what is still open at once; call ``drain`` first for a gentle end."""
        self.draining = True
        self._arrivals.stop()
        self.listeners.close()
        await self._cut_streams()
        self._loop_lag.stop()
        if self.stored_keys is not None:
            self.stored_keys.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._public.close(self._waits.stop_grace_s)
        await self.metadata.close()
        await self._handler.close()
        await self._admin.stop()
        await self._pages.stop()
        self.dispatcher.close()
        if self.files is not None:
            self.files.close()
        self._handler.refusals.stop()
        await flushed()

    async def _cut_streams(self) -> None:
        """In slices, so that the first of thousands does not wait for the last."""
        async for relay in in_turns(self.watch.relays, _CUTS_PER_TURN):
            if relay.terminal is None:
                relay.cut(Terminal.SHUT_DOWN, NoNode("the service is shutting down; retry shortly"))

    async def _serve_public(self, sock: socket.socket) -> None:
        tls = None if self._tls is None else self._tls.context
        wait_s = None if tls is None else self._waits.handshake_s
        await self.listeners.serve(sock, self._public, tls=tls, handshake_timeout_s=wait_s)

    def _observe_lag(self, lag_s: float) -> None:
        self.metrics.observe_lag(lag_s)
        self._descriptors.look()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
