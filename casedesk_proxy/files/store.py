"""The file store as the event loop uses it: every wait for a disk is in a thread.

Files' metadata is in the state file, which several processes of a host share, and contents are
beside it; so any of them serves any file, and continues any upload.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import field
from pathlib import Path
from typing import Protocol

from casedesk_proxy.config.files import Files
from casedesk_proxy.files import rows
from casedesk_proxy.files.contents import Contents, ContentWriter
from casedesk_proxy.files.disk import Disk
from casedesk_proxy.files.uploads import OpenUpload
from casedesk_proxy.filing.draft import FileDraft, FileFault, Why
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile, make_id
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.terms import record

__all__ = ["MIN_FREE_BYTES", "Begun", "FileStore", "FoundUpload", "OpenFile", "Readable"]

#: Bytes that are kept free on the disk: other programs write to it, too.
MIN_FREE_BYTES = 256 * 2**20
#: Pauses before writing to an upload to which another request still writes.
_BUSY_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_PERMIT_BYTES = 24
#: How many ids one query names.
_MAX_ASKED_IDS = 500


@record
class Begun:
    """A new upload. ``permit`` lets only its client continue it."""

    ident: str
    permit: str = field(repr=False)


@record
class FoundUpload:
    """``received``: bytes that are on the disk."""

    row: rows.UploadRow
    received: int


class FileStore:
    """``state``: the state file, started; ``directory``: the contents' place. ``settings`` are read
    for each decision. ``now``: seconds since 1970. ``close`` must be called.

    Raises FileFault for a refusal, and Busy (503) if the disk or the state file cannot be used,
    which the log explains.
    """

    def __init__(
        self,
        state: StoreWriter,
        directory: Path,
        settings: Callable[[], Files] = Files,
        *,
        now: Callable[[], float] = time.time,
        min_free_bytes: int = MIN_FREE_BYTES,
        busy_pauses_s: Sequence[float] = _BUSY_PAUSES_S,
    ) -> None:
        self.contents = Contents(directory)
        self.now = now
        self._settings = settings
        self._busy_pauses_s = busy_pauses_s
        self._min_free_bytes = min_free_bytes
        self.disk = Disk(state)
        #: Bytes that are stored elsewhere and count here; None: there are none.
        self.elsewhere: rows.Elsewhere | None = None

    def close(self) -> None:
        """Waits for no thread, since one may hang in a disk."""
        self.disk.close()

    # Finding files.

    async def find(self, owner: str, ident: str) -> StoredFile | None:
        """A file that ``owner``, the name of a key, may use now, by the result of `read_id`. None:
        it does not exist, has expired, is being uploaded, or belongs to another key."""
        now = self.now()
        return await self.disk.read(
            lambda connection: rows.find_file(connection, owner, ident, now)
        )

    async def list_files(self, owner: str, page: Page) -> list[StoredFile]:
        """One more than the page holds, if there are more."""
        now = self.now()
        return await self.disk.read(
            lambda connection: rows.list_files(connection, owner, page, now)
        )

    async def open(self, file: StoredFile) -> OpenFile:
        """For reading its content. Raises NotFound if it has been deleted meanwhile."""
        return OpenFile(self.disk, file, await self.disk.run(lambda: self.contents.open(file.id)))

    async def remove(self, file: StoredFile) -> bool:
        """Returns whether it existed. A request that reads it is not disturbed."""
        return await self._remove(file.id)

    # Uploads.

    async def begin(self, owner: str, draft: FileDraft) -> Begun:
        """There is room for the announced size."""
        settings, now = self._settings(), self.now()
        if (draft.declared or 0) > settings.max_file:
            raise FileFault(Why.TOO_LARGE, settings.max_file)
        await self.disk.run(lambda: self._check_disk(draft.declared or 0))
        ident = make_id(now, secrets.randbits(128))
        permit = secrets.token_urlsafe(_PERMIT_BYTES)

        def work(connection: sqlite3.Connection) -> None:
            rows.begin(
                connection, ident, owner, draft, settings, now, _hash(permit), self.elsewhere
            )

        try:
            await self.disk.perform(work)
        except BaseException:
            # If this is cancelled here, the row may have been written, and its id would be lost.
            self.drop(ident)
            raise
        return Begun(ident, permit)

    async def find_upload(self, permit: str) -> FoundUpload | None:
        """The upload that its client continues; None if the permit is unknown."""
        hashed, now = _hash(permit), self.now()

        def work(connection: sqlite3.Connection) -> FoundUpload | None:
            row = rows.find_upload(connection, hashed, now)
            return None if row is None else FoundUpload(row, self.contents.measure(row.id))

        return await self.disk.read(work)

    async def write(self, ident: str, declared: int | None = None) -> OpenUpload:
        """Open an upload to continue it, exclusively until `put_by` or `finish`."""
        settings = self._settings()
        writer = await self._lock(ident)
        upload = OpenUpload(ident, writer, declared, settings, self._reserve, self.now)
        try:
            await self.disk.wait(self._reserve(ident, declared or 0))
        except BaseException:
            self.let_go(upload)
            raise
        return upload

    def append(self, upload: OpenUpload, pieces: list[bytes]) -> asyncio.Future[None]:
        """Write what has arrived. One call at a time. Raises what `Disk.explain` returns."""
        return asyncio.wrap_future(self.disk.submit(lambda: upload.write(pieces)))

    async def finish(self, upload: OpenUpload, draft: FileDraft) -> StoredFile:
        """Make a file of what was written."""
        settings = self._settings()
        content = await self.disk.run(lambda: (upload.size, upload.writer.keep()))

        def work(connection: sqlite3.Connection) -> StoredFile:
            return rows.finish(connection, upload.ident, draft, content, settings, self.now())

        return await self.disk.perform(work)

    async def put_by(self, upload: OpenUpload) -> None:
        """The request has ended; another one may write now."""
        await self.disk.run(lambda: self.contents.put_by(upload.ident, upload.writer))

    def let_go(self, upload: OpenUpload) -> None:
        """As `put_by`, without waiting."""
        self.disk.submit(lambda: self.contents.put_by(upload.ident, upload.writer))

    async def cancel(self, ident: str) -> bool:
        """Delete an upload; returns whether it existed."""
        return await self._remove(ident)

    def drop(self, ident: str) -> None:
        """As `cancel`, for an upload that cannot be continued, without waiting."""
        self.disk.state.perform(lambda connection: rows.remove(connection, ident))
        self.disk.submit(lambda: self.contents.remove(ident))

    # Removing expired files.

    async def sweep(self, most: int) -> int:
        """Remove up to ``most`` expired files and uploads, and return how many there were."""
        now = self.now()
        gone = await self.disk.perform(lambda connection: rows.drop_expired(connection, now, most))
        await self.disk.run(lambda: self.contents.remove_all(gone))
        return len(gone)

    async def clear(self) -> int:
        """Remove contents without a row: see `rows`. Returns how many."""

        def work() -> int:
            # Listed before the rows are read: each had its row then, or has lost it.
            listed, cleared = self.contents.list_ids(), 0
            with open_reader(self.disk.state.path) as connection:
                for at in range(0, len(listed), _MAX_ASKED_IDS):
                    some = listed[at : at + _MAX_ASKED_IDS]
                    gone = set(some) - rows.list_ids(connection, some)
                    self.contents.remove_all(gone)
                    cleared += len(gone)
            return cleared

        return await self.disk.run(work)

    async def _remove(self, ident: str) -> bool:
        was_there = await self.disk.perform(lambda connection: rows.remove(connection, ident))
        await self.disk.run(lambda: self.contents.remove(ident))
        return was_there

    async def _lock(self, ident: str) -> ContentWriter:
        """The request that writes to it may be about to end, so try several times."""
        for pause in self._busy_pauses_s:
            try:
                return await self.disk.run(lambda: self.contents.write(ident))
            except FileFault as fault:
                if fault.why is not Why.UPLOAD_BUSY:
                    raise
            await asyncio.sleep(pause)
        return await self.disk.run(lambda: self.contents.write(ident))

    def _reserve(self, ident: str, size: int) -> Future[None]:
        settings, now = self._settings(), self.now()
        return self.disk.state.perform(
            lambda connection: rows.reserve(connection, ident, size, settings, now, self.elsewhere)
        )

    def _check_disk(self, size: int) -> None:
        """Raises FileFault."""
        directory = self.contents.directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.statvfs(directory)
        if found.f_bavail * found.f_frsize < size + self._min_free_bytes:
            raise FileFault(Why.STORE_FULL)


class Readable(Protocol):
    """A content as threads read it."""

    def read(self, most: int, start: int) -> bytes: ...

    def close(self) -> None: ...


class OpenFile:
    """The content of ``file``, read in pieces. ``close`` must be called, from any thread."""

    def __init__(self, disk: Disk, file: StoredFile, reader: Readable) -> None:
        self.file = file
        self._disk = disk
        self._reader = reader
        self._at = 0

    async def read(self, most: int, encode: Callable[[bytes], bytes] = bytes) -> bytes:
        """The next ``most`` bytes, encoded by ``encode`` in a thread; fewer only at the end, b""
        after it. One call at a time. Raises Busy (503) if the disk cannot be read."""
        at = self._at

        def read() -> bytes:
            data = self._reader.read(most, at)
            self._at += len(data)
            return encode(data)

        return await self._disk.run(read)

    def close(self) -> None:
        self._disk.submit(self._reader.close)


def _hash(permit: str) -> str:
    return hashlib.sha256(permit.encode("utf-8", "surrogateescape")).hexdigest()
