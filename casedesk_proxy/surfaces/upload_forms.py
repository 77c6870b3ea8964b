"""Uploads as bodies of several parts: the file's content passes in pieces, the rest is read.

Anthropic's and OpenAI's are forms with a file named ``file``; Google's has metadata and a file, in
either order: the metadata is the first part that is JSON, or is called ``metadata``.
"""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.draft import FileDraft
from casedesk_proxy.surfaces import anthropic_files
from casedesk_proxy.surfaces.file_drafts import clean_name, read_type
from casedesk_proxy.surfaces.forms import bad_form
from casedesk_proxy.surfaces.gemini_files import with_metadata
from casedesk_proxy.surfaces.openai_files import read_keep, read_purpose
from casedesk_proxy.terms import Dialect, RawHeaders
from casedesk_proxy.wire.multipart import MalformedForm
from casedesk_proxy.wire.parts import PartHead, PartReader, find_part_boundary

__all__ = ["UploadForm", "begin_upload_form"]

#: The most bytes of all fields together, without the file.
_MAX_FIELDS_BYTES = 65536
_METADATA, _FILE = "metadata", "file"


class UploadForm:
    """``feed`` returns the file's content. Call ``draft`` at the end."""

    def __init__(self, surface: Dialect, kind: str, boundary: bytes) -> None:
        self._surface = surface
        self._is_form = kind == "form-data"
        self._reader = PartReader(boundary)
        #: The name of the current part.
        self._name = ""
        self._file: PartHead | None = None
        self._fields: dict[str, bytearray] = {}
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Raises BadRequest."""
        content: list[bytes] = []
        try:
            events = self._reader.read(data)
        except MalformedForm as error:
            raise bad_form(error) from None
        for event in events:
            if isinstance(event, PartHead):
                self._begin(event)
            elif isinstance(event, bytes):
                if self._name == _FILE:
                    content.append(event)
                else:
                    self._hold(event)
        return content

    def draft(self) -> FileDraft:
        """What the whole body says about the file. Raises BadRequest."""
        if not self._reader.ended:
            raise BadRequest(
                "the form ends before its last boundary; send it whole", code="invalid_form"
            )
        if self._file is None:
            raise BadRequest.about(_FILE, "the form contains no file; attach one")
        mime_type = self._file.headers.get(b"content-type", b"").decode("latin-1")
        name = clean_name(self._file.filename)
        draft = FileDraft(name, mime_type, surface=self._surface)
        if self._surface is Dialect.GEMINI:
            return with_metadata(draft, bytes(self._fields.get(_METADATA, b"")))
        draft = replace(draft, mime_type=read_type(_FILE, mime_type, name))
        fields = {
            name: bytes(value).decode("utf-8", "replace") for name, value in self._fields.items()
        }
        if self._surface is Dialect.ANTHROPIC:
            return replace(draft, keep=anthropic_files.read_keep(fields))
        return replace(draft, purpose=read_purpose(fields), keep=read_keep(fields))

    def _begin(self, part: PartHead) -> None:
        self._name = part.name if self._is_form or part.name == _METADATA else self._guess(part)
        if self._name == _FILE:
            if self._file is not None:
                raise BadRequest.about(
                    _FILE, "the form contains more than one file; send one at a time"
                )
            self._file = part
        else:
            self._fields[self._name] = bytearray()
            self._count(len(self._name))

    def _guess(self, part: PartHead) -> str:
        """The name that a part without one probably means."""
        kind = part.headers.get(b"content-type", b"").lower()
        is_metadata = kind.startswith(b"application/json") and _METADATA not in self._fields
        return _METADATA if is_metadata else _FILE

    def _hold(self, data: bytes) -> None:
        self._count(len(data))
        self._fields[self._name] += data

    def _count(self, size: int) -> None:
        self._held += size
        if self._held > _MAX_FIELDS_BYTES:
            raise BadRequest(
                f"the form's fields other than the file have more than {_MAX_FIELDS_BYTES} bytes;"
                " shorten them",
                code="invalid_form",
            )


def begin_upload_form(surface: Dialect, headers: RawHeaders) -> UploadForm:
    """Raises BadRequest if the body is not an upload."""
    try:
        found = find_part_boundary(headers)
    except MalformedForm as error:
        raise bad_form(error) from None
    if found is not None:
        return UploadForm(surface, *found)
    if surface is Dialect.GEMINI:
        raise BadRequest(
            "an upload begins with X-Goog-Upload-Protocol: resumable and X-Goog-Upload-Command:"
            " start, or is a body of type multipart/related with metadata and the file"
        )
    raise BadRequest(
        "send the upload as a form (multipart/form-data), with the file in its field `file`",
        code="invalid_form",
    )
