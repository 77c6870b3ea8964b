"""The file store of this process: where its contents lie, and what keeps it in order."""

from __future__ import annotations

from pathlib import Path

from casedesk_proxy.files.store import FileStore
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["DIRECTORY", "open_files"]

#: Of contents, beside the state file.
DIRECTORY = "files"


def open_files(serving: Serving, state: StoreWriter | None) -> FileStore | None:
    """None: there is no state file, hence no files. ``state``: started."""
    if state is None:
        return None
    given = serving.current.config.files.directory
    directory = state.path.parent / DIRECTORY if given is None else Path(given)
    return FileStore(state, directory, lambda: serving.current.config.files)
