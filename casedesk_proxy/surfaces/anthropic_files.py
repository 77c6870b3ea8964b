"""Anthropic's shapes of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile, name_file, read_id
from casedesk_proxy.surfaces.file_drafts import bad_field
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.query import read_pairs

__all__ = ["deleted_reply", "list_reply", "read_page", "show_file"]

_DEFAULT_PAGE_SIZE = 20
_MAX_PAGE_SIZE = 1000


def show_file(file: StoredFile) -> dict[str, Any]:
    """Unlike Anthropic, whoever uploaded a file may have it back."""
    shown: dict[str, Any] = {
        "type": "file",
        "id": name_file(Dialect.ANTHROPIC, file.id),
        "filename": file.name,
        "mime_type": file.mime_type,
        "size_bytes": file.size,
        "created_at": _rfc3339(file.made),
        "downloadable": True,
    }
    if file.expires is not None:
        shown["expires_at"] = _rfc3339(file.expires)
    return shown


def read_page(query: str) -> Page:
    """The newest first; those before an id are the newer ones. Raises BadRequest."""
    given = dict(read_pairs(query))
    limit = given.get("limit") or str(_DEFAULT_PAGE_SIZE)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _MAX_PAGE_SIZE):
        raise bad_field("limit", f"a number from 1 to {_MAX_PAGE_SIZE} is required")
    after, before = given.get("after_id"), given.get("before_id")
    if after and before:
        raise bad_field("before_id", "only one of after_id and before_id may be given")
    name, text = ("before_id", before) if before else ("after_id", after)
    ident = read_id(text) if text else ""
    if ident is None:
        raise bad_field(name, "the id of a file is required")
    return Page(int(limit[:9]), ident, oldest=bool(before))


def list_reply(files: Sequence[StoredFile], page: Page) -> dict[str, Any]:
    """``files``: one more than the page holds, where there are more."""
    shown = [show_file(file) for file in files[: page.most]]
    if page.oldest:
        shown.reverse()
    return {
        "data": shown,
        "has_more": len(files) > page.most,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def deleted_reply(file: StoredFile) -> dict[str, Any]:
    return {"id": name_file(Dialect.ANTHROPIC, file.id), "type": "file_deleted"}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
