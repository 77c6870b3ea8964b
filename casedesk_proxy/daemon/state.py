"""The state file of this process, and the database behind it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping

from casedesk_proxy.config.schema import Config
from casedesk_proxy.ledger.postgres import RowForwarder
from casedesk_proxy.store.file import FILE_NAME, find_directory
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["open_store", "start_forwarder"]

log = logging.getLogger(__name__)

_NONE = "no state file, so no ledger and none of its keys"


def open_store(config: Config, environ: Mapping[str, str]) -> StoreWriter | None:
    """Started. None if there is no place for it, which is logged: requests are served
    nevertheless."""
    directory = find_directory(config.server.state_directory, environ)
    if directory is None:
        log.error("%s: $HOME is not set; set server.state_directory", _NONE)
        return None
    store = StoreWriter(directory / FILE_NAME)
    try:
        store.start()
    except StoreError as error:
        log.error("%s: %s: %s", _NONE, store.path, error)
        return None
    return store


def start_forwarder(url: str | None, store: StoreWriter) -> RowForwarder | None:
    """Sends the ledger's rows to the database at ``url``; None if there is none, or no driver for
    it, which is logged."""
    if url is None:
        return None
    try:
        driver = importlib.import_module("asyncpg")
    except ImportError:
        log.error(
            "ledger.url is not used: the package asyncpg is missing;"
            " pip install 'casedesk-proxy[postgres]'"
        )
        return None
    forwarder = RowForwarder(store, url, driver)
    forwarder.start()
    return forwarder
