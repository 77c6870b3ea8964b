"""Keys as CSV: only hashes, for another host or from another gateway.

The first line names the columns: ``name`` and ``sha256`` are required; ``deployments`` (separated
by spaces), ``note``, ``admin`` (true or false), ``expires`` and ``limits`` (as in the
configuration, in JSON) are optional.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from casedesk_proxy.keystore.changes import KeyFault
from casedesk_proxy.keystore.draft import draft_key
from casedesk_proxy.keystore.rows import StoredKey

__all__ = ["read_csv", "write_csv"]

_COLUMNS = ("name", "sha256", "deployments", "note", "admin", "expires", "limits")
_NEEDED = {"name", "sha256"}
_SWITCHES = {"": False, "false": False, "true": True}


def read_csv(text: str, now: float, most_faults: int = 20) -> tuple[list[StoredKey], list[str]]:
    """The keys, and the faults, each with its line; no more than ``most_faults``. No message
    repeats a hash or a key."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    keys: list[StoredKey] = []
    faults: list[str] = []
    try:
        columns = [one.strip().lower() for one in next(reader, [])]
        if missing := _NEEDED - set(columns):
            return [], [f"line 1: must name the columns; missing: {', '.join(sorted(missing))}"]
        if unknown := [one for one in columns if one not in _COLUMNS]:
            return [], [f"line 1: column {columns.index(unknown[0]) + 1} is unknown"]
        for cells in reader:
            if len(faults) >= most_faults:
                return [], [*faults, "and possibly more"]
            try:
                keys += _read_line(columns, cells, now)
            except KeyFault as fault:
                faults.append(f"line {reader.line_num}: {fault}")
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: {error}")
    return ([] if faults else keys), faults


def write_csv(keys: Iterable[StoredKey]) -> str:
    """The keys that were neither revoked nor replaced."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for key in keys:
        if key.ended is None and not key.replaced:
            admin = "true" if key.admin else ""
            opened = " ".join(key.deployments)
            limits = "" if key.limits == "{}" else key.limits
            writer.writerow(
                (key.name, key.sha256, opened, key.note, admin, _day(key.expires), limits)
            )
    return text.getvalue()


def _read_line(columns: list[str], cells: list[str], now: float) -> Iterator[StoredKey]:
    if not any(cell.strip() for cell in cells):
        return
    if len(cells) != len(columns):
        raise KeyFault("", f"has {len(cells)} cells, not {len(columns)}")
    fields: dict[str, Any] = dict(zip(columns, cells, strict=True))
    admin = fields.get("admin", "").strip().lower()
    if admin not in _SWITCHES:
        raise KeyFault("admin", "is neither true nor false")
    fields["admin"] = _SWITCHES[admin]
    fields["deployments"] = fields.get("deployments", "").split()
    fields["expires"] = fields.get("expires", "").strip() or None
    fields["limits"] = _read_limits(fields.get("limits", ""))
    yield replace(draft_key(fields, now), created=now)


def _read_limits(cell: str) -> object:
    try:
        limits = json.loads(cell.strip() or "{}")
    except (ValueError, RecursionError):
        limits = None
    if not isinstance(limits, dict):
        raise KeyFault("limits", 'is not a JSON object; write {"tokens_per_day": 100000}')
    return limits


def _day(when: float | None) -> str:
    return "" if when is None else datetime.fromtimestamp(when, UTC).isoformat()
