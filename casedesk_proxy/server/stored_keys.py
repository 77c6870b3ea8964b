"""The active keys of the state file: read in a thread, applied by one assignment."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.keystore.last_use import LastUse
from casedesk_proxy.keystore.watch import KeyWatch
from casedesk_proxy.server.runtime import Serving, with_stored_keys
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["StoredKeys"]

#: Seconds that the first check of the file may delay start-up.
FIRST_LOOK_WAIT_S = 5.0
#: Seconds for which a change of a key waits until it is applied here; its file may hang.
_LOOK_WAIT_S = 2.0


class StoredKeys:
    """``last_use`` gets each exchange; ``taken`` is called once other keys are active."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        store: StoreWriter,
        taken: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._serving = serving
        self._taken = taken
        self.watch = KeyWatch(
            store.path, self._take_soon, defaults=lambda: serving.current.config.limits
        )
        self.last_use = LastUse(store)

    async def start(self) -> None:
        """Afterwards the keys are active, if the file can be read."""
        self._serving.current = with_stored_keys(self._serving.current, KeyTable(is_read=False))
        self.watch.start()
        await asyncio.to_thread(self.watch.looked.wait, FIRST_LOOK_WAIT_S)

    async def take_changes(self) -> None:
        """Afterwards the file's current keys are active here, if the file can be read in time."""
        looked = self._loop.create_future()

        def finish() -> None:
            if not looked.done():
                looked.set_result(None)

        self.watch.hurry(lambda: self._call_soon(finish))
        await asyncio.wait([looked], timeout=_LOOK_WAIT_S)

    def inform(
        self, read: Callable[[sqlite3.Connection], int], changed: Callable[[], None]
    ) -> None:
        """Call ``changed``, on the loop, whenever ``read`` finds another number in the file. Call
        this before `start`."""
        self.watch.inform(read, lambda: self._call_soon(changed))

    def stop(self) -> None:
        self.watch.stop()
        self.last_use.flush()

    def _take_soon(self, table: KeyTable) -> None:
        self._call_soon(self._take, table)

    def _call_soon(self, step: Callable[..., None], *given: object) -> None:
        """Call ``step`` on the loop, from the thread that checks the file; steps keep their
        order."""
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(step, *given)

    def _take(self, table: KeyTable) -> None:
        """The keys apply from the next request on, also on kept connections: remembered admissions
        belong to the previous snapshot. Running streams are not cut."""
        self._serving.current = with_stored_keys(self._serving.current, table)
        self._taken()
