"""The process: it starts, runs until it is stopped, drains, stops.

start ──READY──▶ serving ──SIGTERM──▶ draining ──▶ stopped        SIGHUP: reload, while serving
                    └─────SIGUSR2, once a successor serves ──▲   (daemon/succession.py)

What each signal does at each moment: daemon/signals.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

import uvloop

from casedesk_proxy.admin.pages import format_stream_count, summarise
from casedesk_proxy.daemon.filewatch import FileWatch
from casedesk_proxy.daemon.garbage import GarbageCollector
from casedesk_proxy.daemon.handover import Handover
from casedesk_proxy.daemon.inherited_sockets import InheritedSockets, take_inherited_sockets
from casedesk_proxy.daemon.logs import LogHandler, start_log
from casedesk_proxy.daemon.notify import Notifier, watchdog_timeout
from casedesk_proxy.daemon.reload import Prepare, Prepared, Reloader
from casedesk_proxy.daemon.sharing import open_table
from casedesk_proxy.daemon.signals import Signals
from casedesk_proxy.daemon.state import open_store, start_forwarder
from casedesk_proxy.daemon.succession import Predecessor, take_predecessor
from casedesk_proxy.daemon.watchdog import Watchdog
from casedesk_proxy.instances.table import HostTable
from casedesk_proxy.ledger.postgres import RowForwarder
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["Daemon", "serve"]

log = logging.getLogger(__name__)

_AT_REST_AFTER_S = 3.0
#: Seconds for writing the ledger's last rows at the end.
STORE_GRACE_S = 5.0
#: Seconds that a predecessor may take to end after it was asked to hurry.
_PREDECESSOR_GRACE_S = 5.0


def serve(prepare: Prepare, file: Path, signals: Signals) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends at once. ``prepare`` reads and checks
    ``file``, now and at each reload. ``signals`` may hold some that came before.

    Raises ConfigError, and OSError if an address or a TLS file cannot be used.
    """
    # The watchdog ends a hung process with SIGABRT: the log then shows where it hung.
    faulthandler.enable()
    prepared = prepare()
    settings = prepared.config.server
    log_handler = start_log(settings.log_format, settings.log_level)
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"))
    try:
        uvloop.run(Daemon(prepared, prepare, file, notifier, log_handler, signals).run(_report))
    finally:
        notifier.close()


class Daemon:
    """One gateway and the other parts of its process."""

    def __init__(
        self,
        prepared: Prepared,
        prepare: Prepare | None = None,
        file: Path | None = None,
        notifier: Notifier | None = None,
        log_handler: LogHandler | None = None,
        signals: Signals | None = None,
        *,
        at_rest_after_s: float = _AT_REST_AFTER_S,
    ) -> None:
        """Without ``prepare`` SIGHUP, with which a terminal that is closed ends its programs,
        stops; ``file`` is the file of ``server.watch``. ``at_rest_after_s``: seconds after its
        start for which it does no other work, so that it can answer waiting requests."""
        self._prepared = prepared
        self._prepare = prepare
        self._file = file
        self._notifier = notifier or Notifier(None)
        self._log = log_handler or start_log(prepared.config.server.log_format, "info")
        self._signals = signals or Signals()
        self._at_rest_after_s = at_rest_after_s
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self, ready: Callable[[Gateway], None]) -> None:
        """Serve inside a running loop; ``ready`` is called once requests are accepted."""
        try:
            await self._run(ready)
        finally:
            self._signals.ignore_all()

    async def _run(self, ready: Callable[[Gateway], None]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._signals.answer(number, self._on_stop, loop)
        inherited = take_inherited_sockets(os.environ)
        predecessor = take_predecessor(os.environ)
        store = await asyncio.to_thread(open_store, self._prepared.config, os.environ)
        forwarder = None
        if store is not None:
            forwarder = start_forwarder(self._prepared.database, store)
        table = await asyncio.to_thread(open_table, self._prepared.config, os.environ)
        gateway = self._make_gateway(inherited, store, forwarder, table)
        watchdog = Watchdog(
            loop, self._notifier, watchdog_timeout(os.environ),
            lambda: summarise(gateway, loop.time()), self._log,
        )  # fmt: skip
        reloader, watch = self._make_reloader(gateway, watchdog)
        handover = self._make_handover(gateway, watchdog)
        collector = GarbageCollector(loop, lambda: len(gateway.watch))
        try:
            if await self._is_stopped_during(gateway.start()):
                predecessor = None  # It keeps its place, since it hears that we have ended.
            else:
                collector.start()
                if predecessor is not None:
                    await predecessor.announce()
                self._notifier.send("READY=1")
                watchdog.ping()
                self._answer_renewal(reloader, handover)
                ready(gateway)
                await self._serve(gateway)
            self._signals.drop(signal.SIGHUP, signal.SIGUSR2)
            await handover.stop()
            await reloader.stop()
            watch.stop()
            await self._drain(gateway, reloader.config.server.drain_timeout, watchdog, predecessor)
        finally:
            collector.stop()
            watch.stop()
            await gateway.stop()
            if table is not None:
                table.close()
            if forwarder is not None:
                await asyncio.to_thread(forwarder.close, STORE_GRACE_S)
            if store is not None:
                await asyncio.to_thread(store.close, STORE_GRACE_S)
            watchdog.stop()
            self._log.log_suppressed(float("inf"))

    def _make_gateway(
        self,
        inherited: InheritedSockets,
        store: StoreWriter | None,
        forwarder: RowForwarder | None,
        table: HostTable | None,
    ) -> Gateway:
        return Gateway(
            self._prepared.config, self._prepared.secrets, log_formatter=self._log.line_formatter,
            public=inherited.public, admin=inherited.admin, store=store,
            forwarder=forwarder, files=self._prepared.bucket, table=table,
        )  # fmt: skip

    def _make_reloader(self, gateway: Gateway, watchdog: Watchdog) -> tuple[Reloader, FileWatch]:
        config = self._prepared.config
        reloader = Reloader(gateway, self._prepare or (lambda: self._prepared), config)
        watch = FileWatch(self._file or Path("/nonexistent"), reloader.request)

        def ended() -> None:
            settings = reloader.config.server
            self._log.configure(settings.log_format, settings.log_level)
            (watch.start if settings.watch else watch.stop)()
            self._notifier.send("READY=1")
            watchdog.ping()

        reloader.begun = self._notifier.reloading
        reloader.ended = ended
        if config.server.watch:
            watch.start()
        return reloader, watch

    def _make_handover(self, gateway: Gateway, watchdog: Watchdog) -> Handover:
        handover = Handover(gateway, self._notifier)

        def failed() -> None:
            self._notifier.send("READY=1")
            watchdog.ping()

        handover.succeeded, handover.hurried = self._stop.set, self._hurry.set
        handover.failed = failed
        return handover

    def _answer_renewal(self, reloader: Reloader, handover: Handover) -> None:
        """SIGHUP and SIGUSR2 from now on, and those that came earlier."""

        def reload() -> None:
            if reloader.config.server.upgrade_on_reload and handover.is_upgraded:
                handover.request()
            else:
                reloader.request()

        loop = asyncio.get_running_loop()
        self._signals.answer(signal.SIGUSR2, handover.request, loop)
        if self._prepare is not None:
            self._signals.answer(signal.SIGHUP, reload, loop)
        elif signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as with nohup
            self._signals.answer(signal.SIGHUP, self._on_stop, loop)

    async def _serve(self, gateway: Gateway) -> None:
        """Until the stop. Its drain may come before the planners' parent is started, and seldom
        needs it: a large request on a connection that was open starts it then."""
        preparing = asyncio.get_running_loop().call_later(
            self._at_rest_after_s, gateway.planners.prepare
        )
        await self._stop.wait()
        preparing.cancel()

    def _on_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def _is_stopped_during(self, work: Coroutine[None, None, None]) -> bool:
        """Do ``work``, unless a signal to stop comes before its end: then it is cancelled."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            await task
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return True

    async def _drain(
        self,
        gateway: Gateway,
        timeout_s: float,
        watchdog: Watchdog,
        predecessor: Predecessor | None,
    ) -> None:
        """Wait until all has ended, here and at a predecessor, the time is over, or a second signal
        arrives."""
        streams = len(gateway.watch)
        limit = f", for up to {timeout_s:g} s; a second signal ends them" if streams else ""
        log.info("draining: %s%s", format_stream_count(streams), limit)
        self._notifier.send("STOPPING=1")
        drain = asyncio.ensure_future(_end(gateway, timeout_s, predecessor))
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.sleep(0)
        watchdog.draining = True
        watchdog.ping()
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        drain.cancel()
        hurry.cancel()
        await asyncio.gather(drain, hurry, return_exceptions=True)
        if self._hurry.is_set() and predecessor is not None:
            predecessor.hurry()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PREDECESSOR_GRACE_S):
                    await predecessor.wait_ended()
        if gateway.watch:
            log.warning("stopping with %s unfinished", format_stream_count(len(gateway.watch)))


async def _end(gateway: Gateway, timeout_s: float, predecessor: Predecessor | None) -> None:
    await gateway.drain(timeout_s)
    if predecessor is not None:
        await predecessor.wait_ended()


def _report(gateway: Gateway) -> None:
    log.info("serving on %s", ", ".join(gateway.urls))
    if gateway.admin_urls:
        log.info("admin on %s", ", ".join(gateway.admin_urls))
    if gateway.store is not None:
        log.info("state in %s", gateway.store.path)
