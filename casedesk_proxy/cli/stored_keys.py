"""The deployments that the state file's keys may use, for warnings about a configuration."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from casedesk_proxy.config.complaints import Complaint
from casedesk_proxy.config.load import LoadedConfig
from casedesk_proxy.keystore.rows import StoredKey, read_keys
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.schema import StoreError

__all__ = ["find_warnings", "read_valid_keys"]


def read_valid_keys(state: Path | None) -> list[StoredKey] | None:
    """The keys that are valid now; ``state`` is the state file. None if it cannot be read, as
    another user's may not be."""
    try:
        if state is None or not state.exists():
            return []
        with open_reader(state) as connection:
            now = time.time()
            return [one for one in read_keys(connection, most_ended=0) if one.opens(now)]
    except (StoreError, OSError, sqlite3.Error):
        return None


def find_warnings(loaded: LoadedConfig, keys: Sequence[StoredKey] | None) -> list[Complaint]:
    """All warnings, in the file's order. If the state file's ``keys`` are not known, there is no
    warning about deployments that only those may use."""
    if keys is None:
        return loaded.warnings
    opened = {name for key in keys for name in key.deployments}
    more = [one for name, one in loaded.unopened.items() if name not in opened]
    return sorted([*loaded.warnings, *more], key=lambda one: (one.line, one.column))
