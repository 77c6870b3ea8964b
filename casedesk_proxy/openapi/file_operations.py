"""The operations of the Files APIs, and the content of an upload; see also `docs/files.md`."""

from __future__ import annotations

from collections.abc import Iterator

from casedesk_proxy.dialects.core.known_fields import KnownField, Messages, text
from casedesk_proxy.openapi.operations import (
    FORM,
    JSON,
    Operation,
    Parameter,
    anthropic_pages,
    gemini_pages,
)
from casedesk_proxy.openapi.schemas import BINARY
from casedesk_proxy.terms import Action, Dialect

__all__ = ["FILE_MESSAGES", "list_file_operations"]

#: The name of the message for a new file.
_NEW = "NewFile"
_CONTENT = KnownField(BINARY, why="the file, with its name and type", required=True)
#: By surface.
FILE_MESSAGES: dict[Dialect, Messages] = {
    Dialect.GEMINI: {
        _NEW: {"file": KnownField("NewFileMetadata")},
        "NewFileMetadata": {
            "displayName": text("at most 512 characters"),
            "mimeType": text("what X-Goog-Upload-Header-Content-Type says goes before it"),
            "name": text("files/ and 1 to 40 characters of a-z, 0-9 and dashes"),
        },
    },
    Dialect.ANTHROPIC: {
        _NEW: {"file": _CONTENT, "expires_in_seconds": KnownField("integer")},
    },
    Dialect.OPENAI: {
        _NEW: {
            "file": _CONTENT,
            "purpose": text("what it is for, such as user_data or vision", required=True),
            "expires_after[anchor]": KnownField("string", values=("created_at",)),
            "expires_after[seconds]": KnownField("integer"),
        }
    },
}
#: The first headers of Google's resumable protocol; the file goes to the reply's x-goog-upload-url.
_START = (
    Parameter(
        "X-Goog-Upload-Protocol", "header", "How the file is sent.",
        values=("resumable", "multipart"),
    ),
    Parameter(
        "X-Goog-Upload-Command", "header", "Of a resumable upload: its beginning.",
        values=("start",),
    ),
    Parameter(
        "X-Goog-Upload-Header-Content-Length", "header", "The file's bytes, if known.", "integer"
    ),
    Parameter("X-Goog-Upload-Header-Content-Type", "header", "The file's type."),
)  # fmt: skip

_SUMMARIES = {
    Action.UPLOAD_FILE: "Upload a file",
    Action.CREATE_FILE: "Create a file from metadata only",
    Action.LIST_FILES: "List the key's files",
    Action.GET_FILE: "Show a file",
    Action.FILE_CONTENT: "Download a file",
    Action.DELETE_FILE: "Delete a file",
}
_FILE = Parameter("file_id", "path", "The id of a file.", required=True)
_BINARY = "application/octet-stream"
_PAGES = {
    Dialect.GEMINI: gemini_pages("file"),
    Dialect.ANTHROPIC: (
        Parameter("page", "query", "`next_page` of the previous page."),
        Parameter("ids[]", "query", "Only these files."),
        *anthropic_pages("file"),
    ),
    Dialect.OPENAI: (
        Parameter("limit", "query", "Files on a page.", "integer"),
        Parameter("after", "query", "The last file of the previous page."),
        Parameter("order", "query", "Sorted by the time of their upload.", values=("asc", "desc")),
        Parameter("purpose", "query", "Only files with this purpose."),
    ),
}


def list_file_operations(surface: Dialect, tag: str) -> Iterator[Operation]:
    """For a surface that has files; ``tag`` is its name."""
    pages = _PAGES.get(surface)
    if pages is None:
        return
    files, upload, content = "/v1/files", "/v1/files", "/content"
    start: tuple[Parameter, ...] = ()
    if surface is Dialect.GEMINI:
        files, upload, content = "/v1beta/files", "/upload/v1beta/files", ":download"
        start = _START
    made = [
        ("POST", upload, Action.UPLOAD_FILE, start),
        ("GET", files, Action.LIST_FILES, pages),
        ("GET", f"{files}/{{file_id}}", Action.GET_FILE, (_FILE,)),
        ("GET", f"{files}/{{file_id}}{content}", Action.FILE_CONTENT, (_FILE,)),
        ("DELETE", f"{files}/{{file_id}}", Action.DELETE_FILE, (_FILE,)),
    ]
    if surface is Dialect.GEMINI:
        made.append(("POST", files, Action.CREATE_FILE, ()))
    for method, path, action, parameters in made:
        yield Operation(
            method, path, action.value, _SUMMARIES[action], tag, parameters,
            body=_NEW if method == "POST" else None,
            takes=(JSON if surface is Dialect.GEMINI else FORM,),
            sends=(_BINARY if action is Action.FILE_CONTENT else JSON,),
        )  # fmt: skip
