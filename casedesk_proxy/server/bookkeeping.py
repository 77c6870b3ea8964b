"""What is counted and stored of exchanges: metrics, the ledger, and when keys were last used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from casedesk_proxy.ledger.key_use import KeyUse
from casedesk_proxy.ledger.packed import PackedRows
from casedesk_proxy.ledger.past import LedgerReader
from casedesk_proxy.ledger.rows import LedgerRows
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.server.stored_keys import StoredKeys
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.accesslog import Sink
from casedesk_proxy.telemetry.metrics import Metrics

__all__ = ["Bookkeeping"]


class Bookkeeping:
    """``store``: the state file, started; None: there is none, hence neither ``stored_keys`` nor a
    ``past``, which is the ledger to read. ``keys_taken`` is called once other stored keys apply."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        store: StoreWriter | None,
        keys_taken: Callable[[], None],
    ) -> None:
        ledger_settings = serving.current.config.ledger
        self.metrics = Metrics()
        self.key_use = KeyUse(lambda: serving.current.config.ledger.key_metrics)
        self.metrics.register(self.key_use)
        self.stored_keys: StoredKeys | None = None
        self.past: LedgerReader | None = None
        self._rows: PackedRows | None = None
        if store is not None:
            self.stored_keys = StoredKeys(loop, serving, store, keys_taken)
            if ledger_settings.enabled:
                self._rows = PackedRows(store.bell)
                self.past = LedgerReader(store.path, self._rows, store.commits)
                store.join(self._rows, LedgerRows(self.past.own))

    def list_recipients(self, *others: Sink) -> Sequence[Sink]:
        """What is called with each exchange at its end."""
        recipients = [self.metrics.count, self.key_use.count, *others]
        if self.stored_keys is not None:
            recipients.append(self.stored_keys.last_use.count)
        if self._rows is not None:
            recipients.append(self._rows.add)
        return recipients
