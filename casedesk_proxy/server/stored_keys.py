"""The keys of the state file, in force: looked at in a thread, taken by one assignment."""

from __future__ import annotations

import asyncio
import contextlib

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.keystore.last_use import LastUse
from casedesk_proxy.keystore.watch import KeyWatch
from casedesk_proxy.server.runtime import Serving, with_stored_keys
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["StoredKeys"]

#: Seconds for which the first look at the file may keep start-up waiting.
FIRST_LOOK_WAIT_S = 5.0


class StoredKeys:
    """``last_use`` is to hear of each exchange."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, serving: Serving, store: StoreWriter
    ) -> None:
        self._loop = loop
        self._serving = serving
        self.watch = KeyWatch(
            store.path, self._take_soon, defaults=lambda: serving.current.config.limits
        )
        self.last_use = LastUse(store)

    async def start(self) -> None:
        """The keys are in force then, if the file can be read."""
        self.watch.start()
        await asyncio.to_thread(self.watch.looked.wait, FIRST_LOOK_WAIT_S)

    def stop(self) -> None:
        self.watch.stop()
        self.last_use.flush()

    def _take_soon(self, table: KeyTable) -> None:
        """From the thread that looks at the file."""
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(self._take, table)

    def _take(self, table: KeyTable) -> None:
        """From the next request on, on kept connections too: whatever was remembered of admitted
        requests belongs to the snapshot of before. Streams that run go on."""
        self._serving.current = with_stored_keys(self._serving.current, table)
