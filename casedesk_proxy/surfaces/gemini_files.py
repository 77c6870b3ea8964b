"""Google's forms of files: the resource, a new file's metadata, pages of a list."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.draft import FileDraft
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.resumable import read_size
from casedesk_proxy.filing.stored_file import StoredFile, may_be_chosen, name_file, read_id
from casedesk_proxy.surfaces.bodies import describe_syntax_error
from casedesk_proxy.surfaces.file_drafts import clean_name, read_type
from casedesk_proxy.surfaces.timestamps import rfc3339_micros
from casedesk_proxy.terms import Dialect, RawHeaders
from casedesk_proxy.wire.query import is_number, read_number, read_pairs

__all__ = ["list_reply", "read_draft", "read_page", "show_file", "with_metadata"]

_MAX_DISPLAY_NAME_CHARS = 512
_DEFAULT_PAGE_SIZE = 10
_MAX_PAGE_SIZE = 100
_LENGTH, _TYPE = "X-Goog-Upload-Header-Content-Length", "X-Goog-Upload-Header-Content-Type"


def read_draft(headers: RawHeaders, body: bytes) -> FileDraft:
    """For an upload that is started, or a file without content. Raises BadRequest."""
    fields = {name.lower(): value for name, value in headers}
    texts = {name: value.decode("latin-1") for name, value in fields.items()}
    name = clean_name(_read_header(fields.get(b"x-goog-upload-file-name", b"")))
    mime_type = texts.get(_TYPE.lower().encode("ascii"), "")
    draft = FileDraft(name, mime_type, declared=read_size(texts, _LENGTH))
    return with_metadata(draft, body)


def with_metadata(draft: FileDraft, body: bytes) -> FileDraft:
    """``body``: ``{"file": {…}}``, in either spelling, or nothing. Raises BadRequest."""
    given = _read_metadata(body)
    name = _read_text(given, "displayName", "display_name")
    if len(name) > _MAX_DISPLAY_NAME_CHARS:
        raise BadRequest.about(
            "file.displayName", f"longer than {_MAX_DISPLAY_NAME_CHARS} characters; shorten it"
        )
    name = name.encode("utf-8", "replace").decode() or draft.name
    chosen = _read_text(given, "name", "name")
    if chosen:
        chosen = chosen.removeprefix("files/")
        if not may_be_chosen(chosen):
            raise BadRequest.about(
                "file.name",
                "files/ and 1 to 40 characters of a-z, 0-9 and dashes, the first and the last no"
                " dash, are required",
            )
    said = draft.mime_type or _read_text(given, "mimeType", "mime_type")
    mime_type = read_type("file.mimeType", said, name)
    return FileDraft(name, mime_type, chosen, surface=Dialect.GEMINI, declared=draft.declared)


def show_file(file: StoredFile, base: str) -> dict[str, Any]:
    """The resource. ``base``: the URL of its version's mount, without a slash at the end."""
    name = name_file(Dialect.GEMINI, file.chosen or file.id)
    shown: dict[str, Any] = {"name": name}
    if file.name:
        shown["displayName"] = file.name
    shown |= {
        "mimeType": file.mime_type,
        "sizeBytes": str(file.size),
        "createTime": rfc3339_micros(file.made),
        "updateTime": rfc3339_micros(file.made),
    }
    if file.expires is not None:
        shown["expirationTime"] = rfc3339_micros(file.expires)
    # Google's value is the base64 of the hexadecimal digits.
    shown |= {
        "sha256Hash": base64.b64encode(file.sha256.encode("ascii")).decode("ascii"),
        "uri": f"{base}/{name}",
        "downloadUri": f"{base}/{name}:download?alt=media",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }
    return shown


def read_page(query: str) -> Page:
    """Raises BadRequest."""
    given = dict(read_pairs(query))
    size = given.get("pageSize") or given.get("page_size") or "0"
    token = given.get("pageToken") or given.get("page_token") or ""
    if not is_number(size):
        raise BadRequest.about("pageSize", "a number is required")
    if token and read_id(token) != token:
        raise BadRequest.about(
            "pageToken", "invalid pageToken; use nextPageToken of the previous page"
        )
    most = read_number(size, 0, _MAX_PAGE_SIZE)
    return Page(_MAX_PAGE_SIZE if most is None else most or _DEFAULT_PAGE_SIZE, after=token)


def list_reply(files: Sequence[StoredFile], page: Page, base: str) -> dict[str, Any]:
    """``files``: one more than the page holds, if there are more."""
    shown = files[: page.most]
    reply: dict[str, Any] = {"files": [show_file(file, base) for file in shown]} if shown else {}
    if len(files) > page.most:
        reply["nextPageToken"] = shown[-1].id
    return reply


def _read_header(value: bytes) -> str:
    """A file's name: @google/genai for Node sends Latin-1, google-genai for Python UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _read_metadata(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        document = jsonio.loads(body)
    except jsonio.JSONError as error:
        why = describe_syntax_error(error, body, "the metadata")
        raise BadRequest(why, code="invalid_json") from None
    file = document.get("file", {}) if isinstance(document, dict) else None
    if not isinstance(file, dict):
        raise BadRequest.about("file", "an object is required")
    return file


def _read_text(given: dict[str, Any], name: str, other: str) -> str:
    value = given.get(name, given.get(other)) or ""
    if not isinstance(value, str):
        raise BadRequest.about(f"file.{name}", "a string is required")
    return value
