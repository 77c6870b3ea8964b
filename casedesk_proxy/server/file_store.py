"""The file store of this process: the place of its contents, and its regular work."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from casedesk_proxy.files.s3_bucket import S3Bucket
from casedesk_proxy.files.shared_store import SharedFileStore
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["DIRECTORY", "FilePlace", "open_files"]

#: The folder of contents, beside the state file.
DIRECTORY = "files"

#: Where files are stored: in the bucket of several hosts or, in tests, in a store of the test's.
FilePlace: TypeAlias = S3Bucket | FileStore


def open_files(
    serving: Serving, state: StoreWriter | None, place: FilePlace | None = None
) -> FileStore | None:
    """None: there is no state file, hence no files. ``state``: started; ``place`` None: this
    host."""
    if isinstance(place, FileStore):
        return place
    if state is None:
        return None
    given = serving.current.config.files.directory
    directory = state.path.parent / DIRECTORY if given is None else Path(given)
    if place is not None:
        return SharedFileStore(state, directory, place, lambda: serving.current.config.files)
    return FileStore(state, directory, lambda: serving.current.config.files)
