"""The file store of several hosts: an upload is on the disk of the host that it came to, and the
finished file goes into a bucket, where every host finds it.

So an upload is as fast and as safe as without the bucket, which is used only when an upload ends;
while the bucket cannot be reached the upload stays, and its client may finish it later. An upload
can be continued only at the host where it began.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from casedesk_proxy.config.files import Files
from casedesk_proxy.files import rows
from casedesk_proxy.files.disk import Disk
from casedesk_proxy.files.s3_bucket import S3Bucket
from casedesk_proxy.files.shared_files import SharedFiles, SharedUsage
from casedesk_proxy.files.store import MIN_FREE_BYTES, Begun, FileStore, FoundUpload, OpenFile
from casedesk_proxy.files.threads import DiskThreads
from casedesk_proxy.files.uploads import OpenUpload
from casedesk_proxy.filing.draft import FileDraft, FileFault, Why
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["SharedFileStore"]

#: The threads that read from the bucket, and those that write contents to it; each holds some
#: parts.
_MAX_READERS, _MAX_WRITERS = 16, 4
#: How many files of a list are loaded at once.
_MAX_LOADED_FILES = 64
#: Seconds for which the total is not measured again, unless something was added here.
_MEASURED_S = 10.0
#: Seconds between two searches for expired files.
_SWEPT_S = 600.0


class SharedFileStore(FileStore):
    """See `FileStore`; raises Busy (503) also if the bucket cannot be used."""

    def __init__(
        self,
        state: StoreWriter,
        directory: Path,
        bucket: S3Bucket,
        settings: Callable[[], Files] = Files,
        *,
        now: Callable[[], float] = time.time,
        min_free_bytes: int = MIN_FREE_BYTES,
    ) -> None:
        super().__init__(state, directory, settings, now=now, min_free_bytes=min_free_bytes)
        self._shared = SharedFiles(bucket)
        self._reading = Disk(state, DiskThreads(_MAX_READERS))
        self._writing = Disk(state, DiskThreads(_MAX_WRITERS))
        self._usage = SharedUsage(0, {})
        self._measured = self._swept = float("-inf")
        self.elsewhere = lambda owner: (self._usage.of(owner), self._usage.total)

    def close(self) -> None:
        super().close()
        self._reading.close()
        self._writing.close()

    # Finding files.

    async def find(self, owner: str, ident: str) -> StoredFile | None:
        now = self.now()
        return await self._reading.run(lambda: self._shared.find(owner, ident, now))

    async def list_files(self, owner: str, page: Page) -> list[StoredFile]:
        idents = await self._reading.run(lambda: self._shared.list_ids(owner))
        if page.among is not None:
            idents = [one for one in idents if one in page.among]
        if page.oldest:
            wanted = [one for one in idents if one > page.after]
        else:
            wanted = [one for one in reversed(idents) if not page.after or one < page.after]
        found: list[StoredFile] = []
        while wanted and len(found) <= page.most:
            some, wanted = wanted[:_MAX_LOADED_FILES], wanted[_MAX_LOADED_FILES:]
            found += [file for file in await self._load(owner, some) if self._is_on(file, page)]
        return found[: page.most + 1]

    async def _load(self, owner: str, idents: list[str]) -> list[StoredFile]:
        def load(ident: str) -> Callable[[], StoredFile | None]:
            return lambda: self._shared.load(owner, ident)

        loaded = await asyncio.gather(*(self._reading.run(load(ident)) for ident in idents))
        return [file for file in loaded if file is not None]

    def _is_on(self, file: StoredFile, page: Page) -> bool:
        return not file.is_over(self.now()) and page.purpose in ("", file.purpose)

    async def open(self, file: StoredFile) -> OpenFile:
        return OpenFile(self._reading, file, self._shared.open(file))

    async def remove(self, file: StoredFile) -> bool:
        self._measured = float("-inf")
        return await self._reading.run(lambda: self._shared.remove(file))

    # Uploads.

    async def begin(self, owner: str, draft: FileDraft) -> Begun:
        await self._measure()
        if draft.chosen and await self.find(owner, draft.chosen) is not None:
            raise FileFault(Why.NAME_TAKEN)
        return await super().begin(owner, draft)

    async def find_upload(self, permit: str) -> FoundUpload | None:
        found = await super().find_upload(permit)
        if found is None or found.row.file is None:
            return found
        file = await self.find(found.row.owner, found.row.id)
        return None if file is None else FoundUpload(replace(found.row, file=file), file.size)

    async def finish(self, upload: OpenUpload, draft: FileDraft) -> StoredFile:
        settings, ident = self._settings(), upload.ident
        size, sha256 = await self.disk.run(lambda: (upload.size, upload.writer.keep()))
        owner, made = await self.disk.read(lambda connection: rows.read_maker(connection, ident))
        now = self.now()
        expires = rows.find_expiry(draft, settings, now)
        made_file = StoredFile(
            ident, owner, draft.name, draft.mime_type, size, sha256, made, expires, draft.chosen,
            draft.purpose, draft.surface,
        )  # fmt: skip
        path = self.contents.locate(ident)
        file = await self._writing.run(lambda: self._shared.add(made_file, path, now))
        self._measured = float("-inf")

        def work(connection: sqlite3.Connection) -> None:
            rows.give_away(connection, file, now)

        await self.disk.perform(work)
        await self.disk.run(lambda: self.contents.remove(ident))
        return file

    # Removing expired files.

    async def sweep(self, most: int) -> int:
        if self.now() - self._swept >= _SWEPT_S:
            self._swept = now = self.now()
            await self._reading.run(lambda: self._shared.sweep(now))
        return await super().sweep(most)

    async def _measure(self) -> None:
        now = self.now()
        if now - self._measured >= _MEASURED_S:
            self._usage = await self._reading.run(lambda: self._shared.measure(now))
            self._measured = now
