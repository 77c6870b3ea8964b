"""Finds files that requests name in the store, and inline PDFs: what a request becomes before it is
planned.

Text is inserted into the request at once, since it is a prompt like any other, and counts as a part
of its body. Everything else gets a mark, and its bytes are inserted into the node's request while
that is sent.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

from casedesk_proxy.config.fetching import FetchUrls
from casedesk_proxy.errors import BadRequest, TooLarge
from casedesk_proxy.files.fetching import Fetched, FetchFault, fetch
from casedesk_proxy.files.pdf_texts import PdfFault, PdfTexts
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.stored_file import StoredFile, read_id
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.filling import MARK_BEGIN, MARK_CHARS, FileUse
from casedesk_proxy.server.file_contents import InlineContent, RequestContents
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.file_faults import missing_file
from casedesk_proxy.surfaces.file_forms import PDF, is_text, write_media, write_text
from casedesk_proxy.surfaces.file_references import FileReference
from casedesk_proxy.surfaces.json_spans import Span, splice
from casedesk_proxy.upstream.file_upload import FileContents
from casedesk_proxy.wire.web_addresses import WebAddress, is_web, read_web_address

__all__ = ["FileUses", "FilledBody"]

Take = Callable[[int], None]
Fetch = Callable[[WebAddress, FetchUrls, int, Take], Coroutine[None, None, Fetched]]

#: References to files in one request.
_MAX_REFERENCES = 500
#: The types that clients give to files of unknown type.
_UNTOLD = frozenset({"", "application/octet-stream"})


@dataclass(slots=True)
class FilledBody:
    """A body with the files that it named inserted, as text or as marks; ``uses`` by their marks,
    ``contents`` for reading them. ``is_plain``: it has no mark, and names no file."""

    raw: bytes = field(repr=False)
    uses: Mapping[str, tuple[FileUse, ...]] = field(default_factory=dict)
    contents: RequestContents | None = None
    is_plain: bool = False


class FileUses:
    """``store``: None if there is no state file, and so no file."""

    def __init__(self, store: FileStore | None, fetch: Fetch = fetch) -> None:
        self.store = store
        self._fetch = fetch
        self._texts = PdfTexts()
        # The same mark for a file in each of its requests, so that conversations stay at their
        # nodes.
        self._secret = secrets.token_bytes(32)

    async def fill(
        self,
        references: Sequence[FileReference],
        admitted: Admitted,
        snapshot: Snapshot,
        raw: bytes,
        take: Take,
    ) -> FilledBody:
        """``take`` is called before more memory is used for the request besides ``raw``, and raises
        Busy if there is no room. Raises a ClientFault, or Busy (503) if the store cannot be
        read."""
        settings = admitted.deployment.config
        if len(references) > _MAX_REFERENCES:
            raise _too_many(references[_MAX_REFERENCES])
        contents = RequestContents(self.store)
        found = await self._find(references, admitted, contents, take)
        changes: list[tuple[Span, bytes]] = []
        uses: dict[str, tuple[FileUse, ...]] = {}
        room = snapshot.max_body - len(raw)
        for reference in references:
            source: FileContents = contents
            file: StoredFile | None
            if reference.content is not None:
                inline = await asyncio.to_thread(InlineContent, raw, reference.content)
                source, file = inline, inline.file
                room += file.size
            elif (file := found.get(reference.named)) is None:
                continue
            mime = _mime_of(reference, file)
            if is_text(mime) or (mime == PDF and settings.documents == "text"):
                text = await self._read_text(file, reference, source, mime, room, take)
                change = write_text(reference, text)
                room -= len(change)
            else:
                mark = self._mark(file)
                change = write_media(reference, file, mime, mark)
                use = FileUse(file, mime, mark, change, reference.path, reference.place)
                uses[mark] = (*uses.get(mark, ()), use)
            changes.append((reference.span, change))
        is_plain = len(changes) == len(references) and not uses
        return FilledBody(splice(raw, changes), uses, contents, is_plain)

    async def _find(
        self,
        references: Sequence[FileReference],
        admitted: Admitted,
        contents: RequestContents,
        take: Take,
    ) -> dict[str, StoredFile]:
        """The files that a request names, by those names. Raises the vendor's own error for a
        missing one."""
        found: dict[str, StoredFile] = {}
        settings = admitted.deployment.config.fetch_urls
        for reference in references:
            named = reference.named
            if reference.content is not None or named in found:
                continue
            if settings is not None and (where := _find_host(reference, settings)) is not None:
                found[named] = await self._get(reference, where, settings, contents, take)
                continue
            ident = read_id(named) if _may_be_ours(named) else None
            if ident is None or self.store is None:
                continue
            file = await self.store.find(admitted.facts.key, ident)
            if file is None:
                name = named.rpartition("/")[2]
                raise missing_file(admitted.call.surface, name, reference.path)
            found[named] = file
        return found

    async def _get(
        self,
        reference: FileReference,
        where: WebAddress,
        settings: FetchUrls,
        contents: RequestContents,
        take: Take,
    ) -> StoredFile:
        """Fetch content from the web."""
        fetching = self._fetch(where, settings, settings.max_size - contents.size, take)
        try:
            # A task of its own: this may be a fiber.
            fetched = await asyncio.get_running_loop().create_task(fetching)
        except FetchFault as fault:
            raise _unfetched(reference, str(fault)) from None
        return contents.add(fetched, where.url.rpartition("/")[2][:100])

    async def _read_text(
        self,
        file: StoredFile,
        reference: FileReference,
        contents: FileContents,
        mime: str,
        most: int,
        take: Take,
    ) -> str:
        if mime == PDF:
            try:
                in_base64 = reference.content is not None
                text = await self._texts.read(file, contents, in_base64=in_base64)
            except PdfFault as fault:
                why = f"the PDF {fault}; send its text, or its pages as images"
                raise _bad(reference, why) from None
            take(len(text))
            if not text.strip():
                why = "the PDF contains no text; if its pages are scanned, send them as images"
                raise _bad(reference, why)
        else:
            if file.size > most:
                raise _too_long(reference, file.size)
            take(file.size)
            opened = await contents.open(file)
            try:
                data = await opened.read(file.size)
            finally:
                opened.close()
            try:
                text = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise _bad(reference, "the file is not text in UTF-8; save it as UTF-8") from None
        if len(text) > most:
            raise _too_long(reference, len(text))
        return text

    def _mark(self, file: StoredFile) -> str:
        digits = hmac.digest(self._secret, file.id.encode(), "sha256").hex()
        return MARK_BEGIN + digits[:MARK_CHARS]


def _may_be_ours(named: str) -> bool:
    """A URI of Google's or ours has ``files/`` before the id; a URL elsewhere is not looked up."""
    return "://" not in named or "/files/" in named


def _find_host(reference: FileReference, settings: FetchUrls) -> WebAddress | None:
    """The URL from which its content is fetched; None: it is not from the web. Raises BadRequest if
    it must not be fetched."""
    if not is_web(reference.named):
        return None
    where = read_web_address(reference.named)
    if where is not None and where.is_among(settings.allow):
        return where
    if not reference.of_web and _may_be_ours(reference.named):
        return None
    raise _unfetched(reference, "its host is not allowed by the deployment (fetch_urls.allow)")


def _unfetched(reference: FileReference, why: str) -> BadRequest:
    why = f"the URL is not fetched: {why}; send the content itself"
    return BadRequest.about(reference.path, why, code="url_not_fetched")


def _mime_of(reference: FileReference, file: StoredFile) -> str:
    stated = reference.mime_type.partition(";")[0].strip().lower()
    mime = file.mime_type.partition(";")[0].strip().lower() if stated in _UNTOLD else stated
    return {"image/jpg": "image/jpeg"}.get(mime, mime) or "application/octet-stream"


def _bad(reference: FileReference, why: str) -> BadRequest:
    return BadRequest.about(reference.path, why, code="unreadable_file", media="document")


def _too_long(reference: FileReference, size: int) -> TooLarge:
    why = (
        f"its {size} bytes of text make the request larger than it may be (server.max_body); send"
        " less of it"
    )
    return TooLarge.about(reference.path, why, media="document")


def _too_many(reference: FileReference) -> BadRequest:
    why = f"more than {_MAX_REFERENCES} files are referenced; send them in several requests"
    return BadRequest.about(reference.path, why, code="too_many_files")
