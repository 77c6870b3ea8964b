"""The keys of the state file, in force: looked at in a thread, taken by one assignment."""

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

#: Seconds for which the first look at the file may keep start-up waiting.
FIRST_LOOK_WAIT_S = 5.0
#: Seconds for which a change of a key waits until it counts here; its file may hang.
_LOOK_WAIT_S = 2.0


class StoredKeys:
    """``last_use`` is to hear of each exchange; ``taken`` is called once other keys are in
    force."""

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
        """The keys are in force then, if the file can be read."""
        self.watch.start()
        await asyncio.to_thread(self.watch.looked.wait, FIRST_LOOK_WAIT_S)

    async def take_changes(self) -> None:
        """What is in the file now is in force here then, if the file can be read in time."""
        looked = self._loop.create_future()

        def finish() -> None:
            if not looked.done():
                looked.set_result(None)

        self.watch.hurry(lambda: self._call_soon(finish))
        await asyncio.wait([looked], timeout=_LOOK_WAIT_S)

    def inform(
        self, read: Callable[[sqlite3.Connection], int], changed: Callable[[], None]
    ) -> None:
        """Call ``changed``, on the loop, whenever ``read`` finds another number in the file. To be
        asked for before `start`."""
        self.watch.inform(read, lambda: self._call_soon(changed))

    def stop(self) -> None:
        self.watch.stop()
        self.last_use.flush()

    def _take_soon(self, table: KeyTable) -> None:
        self._call_soon(self._take, table)

    def _call_soon(self, step: Callable[..., None], *given: object) -> None:
        """From the thread that looks at the file; in the order of the calls."""
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(step, *given)

    def _take(self, table: KeyTable) -> None:
        """The keys count from the next request on, also on kept connections: what was remembered of
        admitted requests belongs to the snapshot of before. Running streams are not cut."""
        self._serving.current = with_stored_keys(self._serving.current, table)
        self._taken()
