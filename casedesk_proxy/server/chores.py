"""Regular work for the state file and what is stored beside it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator

from casedesk_proxy.files.store import FileStore
from casedesk_proxy.files.sweep import keep_swept
from casedesk_proxy.ledger.postgres import RowForwarder
from casedesk_proxy.ledger.retention import keep_pruned
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.server.stored_keys import StoredKeys
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["list_chores"]


def list_chores(
    serving: Serving,
    store: StoreWriter | None,
    forwarder: RowForwarder | None,
    stored_keys: StoredKeys | None,
    files: FileStore | None,
) -> Iterator[tuple[Coroutine[None, None, None], str]]:
    """Each runs until it is cancelled; with its name. None: there is nothing of this kind."""
    if store is not None:
        keep = keep_pruned(store, lambda: serving.current.config.ledger.keep, forwarder=forwarder)
        yield keep, "retention"
    if stored_keys is not None:
        yield stored_keys.last_use.keep_written(), "last use of keys"
    if files is not None:
        yield keep_swept(files), "sweep of files"
