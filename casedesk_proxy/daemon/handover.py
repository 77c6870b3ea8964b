"""Hands our place to a successor while the service runs: requests, attempts and their log lines."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable

from casedesk_proxy.daemon.notify import Notifier
from casedesk_proxy.daemon.succession import (
    SuccessionError,
    Successor,
    installed_program,
    start_successor,
)
from casedesk_proxy.server.app import Gateway

__all__ = ["Handover"]

log = logging.getLogger(__name__)


class Handover:
    """One attempt at a time; a failed one changes nothing, and may be repeated."""

    def __init__(self, gateway: Gateway, notifier: Notifier) -> None:
        self._gateway = gateway
        self._notifier = notifier
        self._started_as = installed_program(sys.argv, sys.orig_argv)
        self._task: asyncio.Task[None] | None = None
        self._has_succeeded = False
        #: Called when a successor serves, when none started, and when it asks to end the drain.
        self.succeeded: Callable[[], None] = lambda: None
        self.failed: Callable[[], None] = lambda: None
        self.hurried: Callable[[], None] = lambda: None

    @property
    def is_upgraded(self) -> bool:
        """Whether another version was installed in our place."""
        now = installed_program(sys.argv, sys.orig_argv)
        return None not in (now.mark, self._started_as.mark) and now.mark != self._started_as.mark

    def request(self) -> None:
        """For a signal handler: start the installed version in our place."""
        if not self._notifier.is_connected:
            # The parent process would take the end of this process for the end of the service.
            log.warning("cannot start a successor: there is no service manager to supervise it")
        elif self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="handover")

    async def stop(self) -> None:
        """Start no more successors; one that does not serve yet ends."""
        if self._task is not None and not self._has_succeeded:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        self._notifier.reloading()
        gateway = self._gateway
        sockets = [(number, "public") for number in gateway.listeners.descriptors]
        sockets += [(number, "admin") for number in gateway.admin_listeners.descriptors]
        command = installed_program(sys.argv, sys.orig_argv).command
        log.info("starting a successor: %s", command[0])
        try:
            successor = await start_successor(command, os.environ, sockets)
        except SuccessionError as error:
            self._refuse(error)
        else:
            self._give_way(successor)
            await successor.wait_hurry()
            self.hurried()

    def _refuse(self, error: SuccessionError) -> None:
        log.error("the installed version was not started: %s", error)
        self._gateway.config_status.reject(time.time(), f"the installed version: {error}")
        self._gateway.metrics.count_reload(ok=False)
        self.failed()

    def _give_way(self, successor: Successor) -> None:
        log.info("process %d has taken over", successor.pid)
        self._notifier.name_successor(successor.pid)
        successor.appoint()
        # It has the same socket: operators' requests must reach the successor.
        self._gateway.admin_listeners.close()
        self._has_succeeded = True
        self.succeeded()
