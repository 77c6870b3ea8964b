"""Files as rows of the state file, and their changes: each function reads, or is one step of the
caller's transaction.

A row is written before its content's file and deleted before it, so a content without a row can
always be deleted, however often the process is killed. One UPDATE makes a file of an upload.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from casedesk_proxy.config.files import Files
from casedesk_proxy.filing.draft import FileDraft, FileFault, Why
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.terms import record

__all__ = [
    "UPLOAD_S", "Elsewhere", "UploadRow", "begin", "drop_expired", "find_expiry", "find_file",
    "find_upload", "finish", "give_away", "list_files", "list_ids", "read_maker", "remove",
    "reserve",
]  # fmt: skip

#: Seconds for which an upload is kept that is not continued.
UPLOAD_S = 3600.0
_COLUMNS = (
    "id, owner, name, mime_type, size, sha256, made, expires, coalesce(chosen, ''), purpose,"
    " surface"
)
#: Those of an owner's files that are whole and not expired.
_USABLE = "owner = :owner AND sha256 IS NOT NULL AND (expires IS NULL OR expires > :now)"
#: Bytes that are stored elsewhere: of an owner, and in total.
Elsewhere: TypeAlias = Callable[[str], tuple[int, int]]


@record
class UploadRow:
    """An upload. ``file``: the finished file; None if it has not ended."""

    id: str
    owner: str
    draft: FileDraft
    file: StoredFile | None


def find_file(
    connection: sqlite3.Connection, owner: str, ident: str, now: float
) -> StoredFile | None:
    """By its id, or by the id that its owner chose. ``now`` in seconds since 1970."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM files WHERE {_USABLE} AND (id = :id OR chosen = :id)"
        " ORDER BY id = :id DESC LIMIT 1",
        {"owner": owner, "id": ident, "now": now},
    ).fetchone()
    return None if row is None else _make_file(row)


def list_files(
    connection: sqlite3.Connection, owner: str, page: Page, now: float
) -> list[StoredFile]:
    """One more than the page holds, if there are more."""
    which, order = ("id > :after", "id") if page.oldest else ("id < :after", "id DESC")
    conditions = [_USABLE, *([which] if page.after else [])]
    conditions += ["purpose = :purpose"] if page.purpose else []
    among = {f"id{at}": ident for at, ident in enumerate(page.among or ())}
    if page.among is not None:
        conditions.append(f"id IN ({', '.join(f':{name}' for name in among)})")
    values = among | {"owner": owner, "now": now, "after": page.after, "purpose": page.purpose}
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM files WHERE {' AND '.join(conditions)}"
        f" ORDER BY {order} LIMIT {page.most + 1:d}",
        values,
    )
    return [_make_file(row) for row in rows]


def find_upload(connection: sqlite3.Connection, permit: str, now: float) -> UploadRow | None:
    """``permit``: the SHA-256 of what the client has."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, declared FROM files WHERE permit = ?"
        " AND (expires IS NULL OR expires > ?)",
        (permit, now),
    ).fetchone()
    if row is None:
        return None
    ident, owner, name, mime_type, _, sha256, _, _, chosen, purpose, surface, declared = row
    draft = FileDraft(name, mime_type, chosen, purpose, surface, declared)
    return UploadRow(ident, owner, draft, None if sha256 is None else _make_file(row[:-1]))


def begin(
    connection: sqlite3.Connection,
    ident: str,
    owner: str,
    draft: FileDraft,
    settings: Files,
    now: float,
    permit: str | None = None,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Begin an upload. Raises FileFault."""
    size = draft.declared or 0
    if draft.chosen and find_file(connection, owner, draft.chosen, now) is not None:
        raise FileFault(Why.NAME_TAKEN)
    _check_room(connection, owner, size, settings, elsewhere)
    connection.execute(
        "INSERT INTO files (id, owner, name, mime_type, size, made, expires, chosen, purpose,"
        " surface, declared, permit) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ident, owner, draft.name, draft.mime_type, size, now, now + UPLOAD_S,
            draft.chosen or None, draft.purpose, draft.surface, draft.declared, permit,
        ),
    )  # fmt: skip


def reserve(
    connection: sqlite3.Connection,
    ident: str,
    size: int,
    settings: Files,
    now: float,
    elsewhere: Elsewhere | None = None,
) -> None:
    """The upload continues, up to ``size`` bytes. Raises FileFault."""
    found = connection.execute(
        "SELECT owner, size FROM files WHERE id = ? AND sha256 IS NULL", (ident,)
    ).fetchone()
    if found is None:
        raise FileFault(Why.UPLOAD_GONE)
    owner, before = found
    if size > before:
        _check_room(connection, owner, size - before, settings, elsewhere)
    connection.execute(
        "UPDATE files SET size = max(size, ?), expires = ? WHERE id = ?",
        (size, now + UPLOAD_S, ident),
    )


def finish(
    connection: sqlite3.Connection,
    ident: str,
    draft: FileDraft,
    content: tuple[int, str],
    settings: Files,
    now: float,
) -> StoredFile:
    """Make it a file. ``content``: its size and SHA-256. Raises FileFault."""
    expires = find_expiry(draft, settings, now)
    if draft.chosen:
        # Expired files are removed first.
        connection.execute(
            "DELETE FROM files WHERE chosen = ? AND expires <= ?"
            " AND owner = (SELECT owner FROM files WHERE id = ?)",
            (draft.chosen, now, ident),
        )
    try:
        done = connection.execute(
            "UPDATE files SET name = ?, mime_type = ?, chosen = ?, purpose = ?, size = ?,"
            f" sha256 = ?, expires = ? WHERE id = ? AND sha256 IS NULL RETURNING {_COLUMNS}",
            (
                draft.name, draft.mime_type, draft.chosen or None, draft.purpose, *content,
                expires, ident,
            ),
        ).fetchone()  # fmt: skip
    except sqlite3.IntegrityError:
        raise FileFault(Why.NAME_TAKEN) from None
    if done is None:
        raise FileFault(Why.UPLOAD_GONE)
    return _make_file(done)


def find_expiry(draft: FileDraft, settings: Files, now: float) -> float | None:
    """When a file that is finished now expires; None: never."""
    keep = min(settings.keep or float("inf"), draft.keep or float("inf"))
    return None if keep == float("inf") else now + keep


def read_maker(connection: sqlite3.Connection, ident: str) -> tuple[str, float]:
    """The owner of an upload, and when it began. Raises FileFault."""
    found = connection.execute("SELECT owner, made FROM files WHERE id = ?", (ident,)).fetchone()
    if found is None:
        raise FileFault(Why.UPLOAD_GONE)
    owner, made = found
    return owner, made


def give_away(connection: sqlite3.Connection, file: StoredFile, now: float) -> None:
    """An upload has become a file elsewhere, and needs no room here. Its client may ask for a while
    what happened to it."""
    connection.execute(
        "UPDATE files SET sha256 = ?, size = 0, chosen = NULL, expires = ? WHERE id = ?",
        (file.sha256, now + UPLOAD_S, file.id),
    )


def remove(connection: sqlite3.Connection, ident: str) -> bool:
    """Delete a file or an upload; returns whether it existed."""
    return connection.execute("DELETE FROM files WHERE id = ?", (ident,)).rowcount > 0


def drop_expired(connection: sqlite3.Connection, now: float, most: int) -> list[str]:
    """Remove up to ``most`` expired files and uploads, and return their ids."""
    rows = connection.execute(
        "DELETE FROM files WHERE id IN (SELECT id FROM files WHERE expires <= ? LIMIT ?)"
        " RETURNING id",
        (now, most),
    )
    return [ident for (ident,) in rows]


def list_ids(connection: sqlite3.Connection, among: Sequence[str]) -> set[str]:
    """Those of the ids that have a row."""
    places = ", ".join("?" * len(among))
    rows = connection.execute(f"SELECT id FROM files WHERE id IN ({places})", tuple(among))
    return {ident for (ident,) in rows}


def _check_room(
    connection: sqlite3.Connection,
    owner: str,
    more: int,
    settings: Files,
    elsewhere: Elsewhere | None,
) -> None:
    own_elsewhere, all_elsewhere = (0, 0) if elsewhere is None else elsewhere(owner)
    (own,) = connection.execute(
        "SELECT coalesce(sum(size), 0) FROM files WHERE owner = ?", (owner,)
    ).fetchone()
    if own + own_elsewhere + more > settings.per_key:
        raise FileFault(Why.KEY_FULL, settings.per_key)
    (all_,) = connection.execute("SELECT coalesce(sum(size), 0) FROM files").fetchone()
    if all_ + all_elsewhere + more > settings.total:
        raise FileFault(Why.STORE_FULL, settings.total)


def _make_file(row: tuple[Any, ...]) -> StoredFile:
    return StoredFile(*row)
