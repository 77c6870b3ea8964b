"""The operations of the Files APIs. What is uploaded is no JSON; `docs/files.md` says how."""

from __future__ import annotations

from collections.abc import Iterator

from casedesk_proxy.openapi.operations import (
    JSON,
    Operation,
    Parameter,
    anthropic_pages,
    gemini_pages,
)
from casedesk_proxy.terms import Action, Dialect

__all__ = ["list_file_operations"]

_SUMMARIES = {
    Action.UPLOAD_FILE: "Upload a file",
    Action.CREATE_FILE: "Make a file of metadata alone",
    Action.LIST_FILES: "List the key's files",
    Action.GET_FILE: "Show a file",
    Action.FILE_CONTENT: "Download a file",
    Action.DELETE_FILE: "Delete a file",
}
_FILE = Parameter("file_id", "path", "The id of a file.", required=True)
_BINARY = "application/octet-stream"
_PAGES = {
    Dialect.GEMINI: gemini_pages("file"),
    Dialect.ANTHROPIC: anthropic_pages("file"),
    Dialect.OPENAI: (
        Parameter("limit", "query", "Files on a page.", "integer"),
        Parameter("after", "query", "The last file of the page before."),
        Parameter("order", "query", "By the time of their upload.", values=("asc", "desc")),
        Parameter("purpose", "query", "Files of this purpose alone."),
    ),
}


def list_file_operations(surface: Dialect, tag: str) -> Iterator[Operation]:
    """Of a surface that has files; ``tag`` is its name."""
    pages = _PAGES.get(surface)
    if pages is None:
        return
    files, upload, content = "/v1/files", "/v1/files", "/content"
    if surface is Dialect.GEMINI:
        files, upload, content = "/v1beta/files", "/upload/v1beta/files", ":download"
    made = [
        ("POST", upload, Action.UPLOAD_FILE, ()),
        ("GET", files, Action.LIST_FILES, pages),
        ("GET", f"{files}/{{file_id}}", Action.GET_FILE, (_FILE,)),
        ("GET", f"{files}/{{file_id}}{content}", Action.FILE_CONTENT, (_FILE,)),
        ("DELETE", f"{files}/{{file_id}}", Action.DELETE_FILE, (_FILE,)),
    ]
    if surface is Dialect.GEMINI:
        made.append(("POST", files, Action.CREATE_FILE, ()))
    for method, path, action, parameters in made:
        sends = (_BINARY if action is Action.FILE_CONTENT else JSON,)
        yield Operation(
            method, path, action.value, _SUMMARIES[action], tag, parameters, sends=sends
        )
