"""Uploads: a form with a file, or Google's resumable protocol piece by piece.

A form's upload that breaks off is deleted, since it cannot be continued. A resumable one stays: its
client asks how much has arrived, and continues, at any instance of this host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.files.store import FileStore, FoundUpload
from casedesk_proxy.files.uploads import OpenUpload
from casedesk_proxy.filing.draft import FileDraft, FileFault, Why
from casedesk_proxy.filing.resumable import (
    Cancel,
    Finalize,
    Instruction,
    Receive,
    Step,
    UploadProgress,
    next_step,
    read_instruction,
    require_whole,
)
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.receiving import BodyReceiver, ContentParser, RawContent
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.file_faults import explain_fault
from casedesk_proxy.surfaces.upload_forms import UploadForm
from casedesk_proxy.terms import Dialect, record
from casedesk_proxy.wire.http1 import BodyFraming

__all__ = ["FileUploads", "Piece"]

#: Bytes that a form may have beyond its file.
_FORM_BYTES = 2**17


@record
class Piece:
    """What a request did to an upload. ``file``: it has become one; ``received``: bytes on the
    disk; ``is_cancelled``: it was deleted."""

    received: int
    file: StoredFile | None = None
    is_cancelled: bool = False


class FileUploads:
    """``snapshot`` has the timeouts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: FileStore,
        snapshot: Callable[[], Snapshot],
        max_file: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._store = store
        self._snapshot = snapshot
        self._max_file = max_file
        #: By upload: the request of this process that sends to it.
        self._receiving: dict[str, BodyReceiver] = {}

    async def take_form(
        self, request: ClientRequest, exchange: Exchange, owner: str, surface: Dialect,
        form: UploadForm,
    ) -> StoredFile:  # fmt: skip
        """Make a file of the body. Raises ProxyError and FileFault."""
        length, most = _length(request), self._max_file()
        if length is not None and length > most + _FORM_BYTES:
            raise FileFault(Why.TOO_LARGE, most)
        # What may arrive is reserved; what arrived is counted.
        bound = None if length is None else min(length, most)
        begun = await self._store.begin(owner, FileDraft(surface=surface, declared=bound))
        is_done = False
        try:
            upload = await self._store.write(begun.ident, bound)
            try:
                await self._receive(request, exchange, upload, form)
                file = await self._store.finish(upload, form.draft())
            except BaseException:
                self._store.let_go(upload)
                raise
            await self._store.put_by(upload)
            is_done = True
        finally:
            if not is_done:
                self._store.drop(begun.ident)
        return file

    async def go_on(self, request: ClientRequest, exchange: Exchange, found: FoundUpload) -> Piece:
        """One request about a resumable upload. Raises ProxyError and FileFault."""
        asked, ident = read_instruction(request.head.headers), found.row.id
        step = self._next(request, asked, found, found.received)
        if isinstance(step, Cancel):
            await self._store.cancel(ident)
            return Piece(found.received, is_cancelled=True)
        if not isinstance(step, Receive | Finalize):
            return Piece(found.received, found.row.file)
        if (older := self._receiving.get(ident)) is not None:
            # Its client has sent a new request, so the older one will hardly continue.
            older.give_way(explain_fault(Dialect.GEMINI, FileFault(Why.UPLOAD_BUSY)))
        upload = await self._store.write(ident, found.row.draft.declared)
        try:
            piece = await self._take_piece(request, exchange, found, upload, asked)
        except BaseException:
            self._store.let_go(upload)
            raise
        await self._store.put_by(upload)
        return piece

    async def _take_piece(
        self,
        request: ClientRequest,
        exchange: Exchange,
        found: FoundUpload,
        upload: OpenUpload,
        asked: Instruction,
    ) -> Piece:
        """``upload``: no other request writes to it now; more of it may have arrived meanwhile."""
        step = self._next(request, asked, found, upload.size)
        finalizes = isinstance(step, Finalize)
        if isinstance(step, Receive):
            finalizes = step.finalizes
            await self._receive(request, exchange, upload, RawContent(step.skip))
        if not finalizes:
            return Piece(upload.size)
        draft = found.row.draft
        require_whole(UploadProgress(upload.size, draft.declared))
        return Piece(upload.size, await self._store.finish(upload, draft))

    def _next(
        self, request: ClientRequest, asked: Instruction, found: FoundUpload, received: int
    ) -> Step:
        is_final = found.row.file is not None
        progress = UploadProgress(received, found.row.draft.declared, is_final)
        return next_step(asked, progress, _length(request))

    async def _receive(
        self, request: ClientRequest, exchange: Exchange, upload: OpenUpload, parser: ContentParser
    ) -> None:
        ident = upload.ident
        receiver = BodyReceiver(
            self._loop, request, parser, lambda pieces: self._store.append(upload, pieces),
            Pace.of(self._snapshot()),
        )  # fmt: skip
        self._receiving[ident] = receiver
        try:
            await receiver.run()
        except ProxyError:
            raise
        except Exception as error:
            explained = self._store.disk.explain(error)
            raise explained from None
        finally:
            exchange.received = receiver.received
            if self._receiving.get(ident) is receiver:
                del self._receiving[ident]


def _length(request: ClientRequest) -> int | None:
    head = request.head
    return head.length if head.body is not BodyFraming.CHUNKED else None
