"""The process: start, run until told to stop, drain, stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable

import uvloop

from casedesk_proxy.config.schema import Config
from casedesk_proxy.server.app import Gateway

__all__ = ["log_to_stderr", "run", "serve"]

log = logging.getLogger(__name__)


def serve(config: Config, secrets: dict[str, str]) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends at once.

    Raises OSError where an address or a TLS file cannot be used.
    """
    log_to_stderr(config.server.log_level)
    uvloop.run(run(config, secrets, _report))


def log_to_stderr(level: str) -> None:
    """What is not an exchange is logged in words. ``level`` as in the configuration."""
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(levelname)s %(message)s")


async def run(config: Config, secrets: dict[str, str], ready: Callable[[Gateway], None]) -> None:
    """Serve inside a running loop; ``ready`` is called once requests are taken."""
    stop, hurry = _on_signals()
    gateway = Gateway(config, secrets)
    try:
        await gateway.start()
        # What start-up made lives for ever; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        ready(gateway)
        await stop.wait()
        if gateway.watch.relays:
            log.info("draining: %d streams", len(gateway.watch.relays))
        drain = asyncio.ensure_future(gateway.drain(config.server.drain_timeout))
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        drain.cancel()
    finally:
        await gateway.stop()


def _report(gateway: Gateway) -> None:
    log.info("serving on %s", ", ".join(gateway.urls))
    if gateway.admin_urls:
        log.info("admin on %s", ", ".join(gateway.admin_urls))


def _on_signals() -> tuple[asyncio.Event, asyncio.Future[None]]:
    """An event for the first SIGTERM or SIGINT, a future for the second."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    hurry: asyncio.Future[None] = loop.create_future()

    def told() -> None:
        if stop.is_set() and not hurry.done():
            hurry.set_result(None)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    return stop, hurry
