"""The contents of files in one request: from the store, fetched for it alone, and inline."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from casedesk_proxy.errors import NotFound
from casedesk_proxy.files.fetching import Fetched
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.surfaces.inline_pdfs import PDF
from casedesk_proxy.surfaces.json_spans import Span
from casedesk_proxy.upstream.file_upload import FileReader

__all__ = ["InlineContent", "RequestContents"]


class RequestContents:
    """See `upstream.file_upload.FileContents`. ``size``: bytes of fetched content in memory."""

    def __init__(self, store: FileStore | None) -> None:
        self.store = store
        self.size = 0
        self._fetched: dict[str, bytes] = {}

    def add(self, fetched: Fetched, name: str) -> StoredFile:
        """A file with the content, like one that is stored."""
        digest = sha256(fetched.content).hexdigest()
        self._fetched[digest] = fetched.content
        self.size += len(fetched.content)
        size = len(fetched.content)
        return StoredFile(digest, "", name, fetched.mime_type, size, digest, 0.0, None)

    async def open(self, file: StoredFile) -> FileReader:
        if (content := self._fetched.get(file.id)) is not None:
            return _Reader(content)
        if self.store is None:
            raise NotFound("the file has been deleted; upload it again", code="file_not_found")
        return await self.store.open(file)


class InlineContent:
    """A PDF inside a request, read from its base64, which its hash is also made of. Making one
    takes time proportional to its size: call it in a thread."""

    def __init__(self, raw: bytes, span: Span) -> None:
        self._content = memoryview(raw)[slice(*span)]
        size, digest = len(self._content), sha256(self._content).hexdigest()
        self.file = StoredFile(digest, "", "", PDF, size, digest, 0.0, None)

    async def open(self, file: StoredFile) -> FileReader:
        return _Reader(self._content)


class _Reader:
    def __init__(self, content: bytes | memoryview) -> None:
        self._content = content
        self._at = 0

    async def read(self, most: int, encode: Callable[[bytes], bytes] = bytes) -> bytes:
        piece = bytes(self._content[self._at : self._at + most])
        self._at += len(piece)
        return encode(piece)

    def close(self) -> None:
        self._content = b""
