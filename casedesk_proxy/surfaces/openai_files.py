"""OpenAI's forms of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile, name_file, read_id
from casedesk_proxy.surfaces import file_drafts
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.query import read_number, read_pairs

__all__ = ["deleted_reply", "list_reply", "read_keep", "read_page", "read_purpose", "show_file"]

_MAX_PAGE_SIZE = 10_000
_MAX_PURPOSE_CHARS = 64
#: The purpose of a file that came through another surface.
_NO_PURPOSE = "user_data"
#: Seconds; OpenAI's limits.
_MIN_KEEP_S = 3600
_MAX_KEEP_S = 2_592_000
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"


def show_file(file: StoredFile) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": name_file(Dialect.OPENAI, file.id),
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.made),
        "filename": file.name,
        "purpose": file.purpose or _NO_PURPOSE,
        "status": "processed",
    }
    if file.expires is not None:
        shown["expires_at"] = int(file.expires)
    return shown


def read_purpose(fields: Mapping[str, str]) -> str:
    """Raises BadRequest."""
    purpose = fields.get("purpose", "")
    if not purpose or len(purpose) > _MAX_PURPOSE_CHARS or not purpose.isprintable():
        raise BadRequest.about("purpose", "the file's purpose is required, such as user_data")
    return purpose


def read_keep(fields: Mapping[str, str]) -> float | None:
    """How many seconds the client asks to keep it. Raises BadRequest."""
    if _ANCHOR not in fields and _SECONDS not in fields:
        return None
    if fields.get(_ANCHOR, "created_at") != "created_at":
        raise BadRequest.about(_ANCHOR, "created_at is required")
    return file_drafts.read_keep(_SECONDS, fields.get(_SECONDS, ""), _MIN_KEEP_S, _MAX_KEEP_S)


def read_page(query: str) -> Page:
    """Raises BadRequest."""
    given = dict(read_pairs(query))
    limit = read_number(given.get("limit") or str(_MAX_PAGE_SIZE), 1, _MAX_PAGE_SIZE)
    order = given.get("order") or "desc"
    if limit is None:
        raise BadRequest.about("limit", f"a number from 1 to {_MAX_PAGE_SIZE} is required")
    if order not in ("asc", "desc"):
        raise BadRequest.about("order", "asc or desc is required")
    after = given.get("after") or ""
    ident = read_id(after) if after else ""
    if ident is None:
        raise BadRequest.about("after", "the id of a file is required")
    return Page(limit, ident, oldest=order == "asc", purpose=given.get("purpose") or "")


def list_reply(files: Sequence[StoredFile], page: Page) -> dict[str, Any]:
    """``files``: one more than the page holds, if there are more."""
    shown = [show_file(file) for file in files[: page.most]]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(files) > page.most,
    }


def deleted_reply(file: StoredFile) -> dict[str, Any]:
    return {"id": name_file(Dialect.OPENAI, file.id), "object": "file", "deleted": True}
