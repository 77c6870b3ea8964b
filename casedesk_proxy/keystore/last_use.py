"""When keys were last used: noted at each exchange's end, written at intervals."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future

from casedesk_proxy.keystore.changes import note_use
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["LastUse"]

log = logging.getLogger(__name__)

_PAUSE_S = 30.0


class LastUse:
    """``count`` is a sink. What was not written yet is lost with the process."""

    def __init__(self, store: StoreWriter, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._used: dict[str, float] = {}

    def count(self, record: ExchangeRecord) -> None:
        if record.key:
            self._used[record.key] = self._now()

    def flush(self) -> Future[None] | None:
        """Hand over what was noted. None if there was nothing."""
        if not self._used:
            return None
        used, self._used = self._used, {}

        def write(connection: sqlite3.Connection) -> None:
            note_use(connection, used)

        return self._store.perform(write)

    async def keep_written(self, pause_s: float = _PAUSE_S) -> None:
        """Runs until cancelled. What a faulty file does not accept is not tried again."""
        while True:
            await asyncio.sleep(pause_s)
            if (written := self.flush()) is not None:
                try:
                    await asyncio.wrap_future(written)
                except Exception as error:
                    log.debug("cannot record when keys were last used: %s", error)
