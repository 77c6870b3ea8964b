"""Anthropic's forms of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile, name_file, read_id
from casedesk_proxy.surfaces import file_drafts
from casedesk_proxy.surfaces.timestamps import rfc3339_micros
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.query import read_number, read_pairs

__all__ = ["deleted_reply", "list_reply", "read_keep", "read_page", "show_file"]

_DEFAULT_PAGE_SIZE = 20
_MAX_PAGE_SIZE = 1000
#: The beginning of a page's cursor; the id of the last file before the page follows.
_CURSOR = "page_"
#: The parameters that ask for certain files, as SDKs write them; and how many are accepted.
_IDS = frozenset({"ids", "ids[]"})
_MAX_IDS_COUNT = 100
#: Seconds; Anthropic's limits.
_MIN_KEEP_S = 3600
_MAX_KEEP_S = 7_776_000
_KEEP = "expires_in_seconds"


def show_file(file: StoredFile) -> dict[str, Any]:
    """Unlike at Anthropic, a client may download a file that it uploaded."""
    shown: dict[str, Any] = {
        "type": "file",
        "id": name_file(Dialect.ANTHROPIC, file.id),
        "filename": file.name,
        "mime_type": file.mime_type,
        "size_bytes": file.size,
        "created_at": rfc3339_micros(file.made),
        "downloadable": True,
    }
    if file.expires is not None:
        shown["expires_at"] = rfc3339_micros(file.expires)
    return shown


def read_keep(fields: Mapping[str, str]) -> float | None:
    """How many seconds the client asks to keep the file; None if it does not say. Raises
    BadRequest."""
    if _KEEP not in fields:
        return None
    return file_drafts.read_keep(_KEEP, fields[_KEEP], _MIN_KEEP_S, _MAX_KEEP_S)


def read_page(query: str) -> Page:
    """The newest files first. A page begins after a cursor, which SDKs use since 2026, or after or
    before an id, which they used until then; files before an id are newer. Raises BadRequest."""
    pairs = read_pairs(query)
    given = dict(pairs)
    if (asked := [value for name, value in pairs if name in _IDS]) or given.get("scope_id"):
        # Files of Anthropic's sessions are not stored here.
        return _read_choice([] if given.get("scope_id") else asked)
    limit = read_number(given.get("limit") or str(_DEFAULT_PAGE_SIZE), 1, _MAX_PAGE_SIZE)
    if limit is None:
        raise BadRequest.about("limit", f"a number from 1 to {_MAX_PAGE_SIZE} is required")
    places = {name: given[name] for name in ("page", "after_id", "before_id") if given.get(name)}
    if len(places) > 1:
        raise BadRequest.about(
            min(places), "only one of page, after_id and before_id is allowed; name one"
        )
    for name, text in places.items():
        ident = read_id(text.removeprefix(_CURSOR) if name == "page" else text)
        if ident is None:
            what = "the next_page of a list" if name == "page" else "the id of a file"
            raise BadRequest.about(name, f"{what} is required")
        return Page(limit, ident, oldest=name == "before_id")
    return Page(limit)


def _read_choice(asked: Sequence[str]) -> Page:
    """A page of certain files. Raises BadRequest."""
    found = tuple(dict.fromkeys(ident for one in asked if (ident := read_id(one)) is not None))
    if len(found) > _MAX_IDS_COUNT:
        raise BadRequest.about("ids", f"more than {_MAX_IDS_COUNT}; ask for fewer at a time")
    return Page(_MAX_IDS_COUNT, among=found)


def list_reply(files: Sequence[StoredFile], page: Page) -> dict[str, Any]:
    """``files``: one more than the page holds, if there are more."""
    shown = [show_file(file) for file in files[: page.most]]
    if page.oldest:
        shown.reverse()
    has_more, last = len(files) > page.most, shown[-1]["id"] if shown else None
    return {
        "data": shown,
        "has_more": has_more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": last,
        "next_page": f"{_CURSOR}{last}" if has_more and not page.oldest else None,
    }


def deleted_reply(file: StoredFile) -> dict[str, Any]:
    return {"id": name_file(Dialect.ANTHROPIC, file.id), "type": "file_deleted"}
