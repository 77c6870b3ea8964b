"""Files that requests name, found in the store: what a request becomes before it is planned.

Text is put into the request at once, since it is a prompt like any other, and counts as a part of
its body. Everything else gets a mark, and its bytes go into what the node is sent as that is sent.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from casedesk_proxy.errors import BadRequest, TooLarge, Violation
from casedesk_proxy.files.pdf_texts import PdfTexts
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.stored_file import StoredFile, read_id
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.filling import MARK_BEGIN, MARK_CHARS, FileUse
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.file_forms import PDF, is_text, no_file, write_media, write_text
from casedesk_proxy.surfaces.file_references import FileReference
from casedesk_proxy.surfaces.json_spans import Span, splice

__all__ = ["FileUses", "FilledBody"]

#: References to files in one request.
_MAX_REFERENCES = 500
#: What clients call a file of which they know nothing.
_UNTOLD = frozenset({"", "application/octet-stream"})


@dataclass(slots=True)
class FilledBody:
    """A body with the files that it named in it, as text or as marks; ``uses`` by their marks."""

    raw: bytes = field(repr=False)
    uses: Mapping[str, tuple[FileUse, ...]] = field(default_factory=dict)


class FileUses:
    """``store``: None where there is no state file, and so no file."""

    def __init__(self, store: FileStore | None) -> None:
        self.store = store
        self._texts = PdfTexts(store) if store is not None else None
        # The same for a file in each of its requests, so that conversations keep to their nodes.
        self._secret = secrets.token_bytes(32)

    async def fill(
        self,
        references: Sequence[FileReference],
        admitted: Admitted,
        snapshot: Snapshot,
        raw: bytes,
    ) -> FilledBody:
        """Raises a ClientFault, or Busy (503) where the store cannot be read."""
        if self.store is None:
            return FilledBody(raw)
        if len(references) > _MAX_REFERENCES:
            raise _too_many(references[_MAX_REFERENCES])
        found = await self._find(references, admitted)
        changes: list[tuple[Span, bytes]] = []
        uses: dict[str, tuple[FileUse, ...]] = {}
        room = snapshot.max_body - len(raw)
        reads_pdf = admitted.deployment.config.documents == "text"
        for reference in references:
            file = found.get(reference.named)
            if file is None:
                continue
            mime = _mime_of(reference, file)
            if is_text(mime) or (mime == PDF and reads_pdf):
                text = await self._read_text(file, reference, is_pdf=mime == PDF, most=room)
                change = write_text(reference, text)
                room -= len(change)
            else:
                mark = self._mark(file)
                change = write_media(reference, file, mime, mark)
                use = FileUse(file, mime, mark, change, reference.path)
                uses[mark] = (*uses.get(mark, ()), use)
            changes.append((reference.span, change))
        return FilledBody(splice(raw, changes), uses)

    async def _find(
        self, references: Sequence[FileReference], admitted: Admitted
    ) -> dict[str, StoredFile]:
        """By what the client named. Raises the vendor's own error for one that is not there."""
        assert self.store is not None
        found: dict[str, StoredFile] = {}
        for reference in references:
            named = reference.named
            if named in found:
                continue
            ident = read_id(named) if _may_be_ours(named) else None
            file = await self.store.find(admitted.facts.key, ident) if ident is not None else None
            if file is not None:
                found[named] = file
            elif ident is not None:
                raise no_file(admitted.call.surface, reference.path, named)
        return found

    async def _read_text(
        self, file: StoredFile, reference: FileReference, *, is_pdf: bool, most: int
    ) -> str:
        assert self.store is not None
        assert self._texts is not None
        if is_pdf:
            text = await self._texts.read(file)
            if not text.strip():
                raise _bad(reference, "no text was found in the PDF; it may hold pictures of pages")
        else:
            if file.size > most:
                raise _too_long(reference, file.size)
            opened = await self.store.open(file)
            try:
                data = await opened.read(file.size)
            finally:
                opened.close()
            try:
                text = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise _bad(reference, "the file is not text in UTF-8") from None
        if len(text) > most:
            raise _too_long(reference, len(text))
        return text

    def _mark(self, file: StoredFile) -> str:
        digits = hmac.digest(self._secret, file.id.encode(), "sha256").hex()
        return MARK_BEGIN + digits[:MARK_CHARS]


def _may_be_ours(named: str) -> bool:
    """A URI of Google's or ours has ``files/`` before the id; of an address elsewhere nothing is
    asked."""
    return "://" not in named or "/files/" in named


def _mime_of(reference: FileReference, file: StoredFile) -> str:
    stated = reference.mime_type.partition(";")[0].strip().lower()
    mime = file.mime_type.partition(";")[0].strip().lower() if stated in _UNTOLD else stated
    return {"image/jpg": "image/jpeg"}.get(mime, mime) or "application/octet-stream"


def _bad(reference: FileReference, why: str) -> BadRequest:
    violation = Violation(reference.path, why, "document")
    return BadRequest(f"{reference.path}: {why}", code="unreadable_file", violations=(violation,))


def _too_long(reference: FileReference, size: int) -> TooLarge:
    why = f"its {size} bytes of text make the request larger than it may be (server.max_body)"
    violation = Violation(reference.path, why, "document")
    return TooLarge(f"{reference.path}: {why}", violations=(violation,))


def _too_many(reference: FileReference) -> BadRequest:
    why = f"more than {_MAX_REFERENCES} files are named"
    violation = Violation(reference.path, why)
    return BadRequest(f"{reference.path}: {why}", code="too_many_files", violations=(violation,))
