"""The keys of the state file as admission looks at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.keystore.rows import StoredKey
from casedesk_proxy.terms import Principal

__all__ = ["NO_CHANGE", "make_table", "next_expiry"]

#: A time that never comes.
NO_CHANGE = float("inf")


def make_table(keys: Iterable[StoredKey], now: float) -> KeyTable:
    """What opens something at ``now``, and why the others do not. ``keys``: the revoked last, so
    that they never hide one that is valid."""
    valid: list[tuple[str, Principal]] = []
    ended: list[tuple[str, str]] = []
    for key in keys:
        if key.opens(now):
            principal = Principal(key.name, frozenset(key.deployments), admin=key.admin)
            valid.append((key.sha256, principal))
        else:
            ended.append((key.sha256, _explain(key)))
    return KeyTable(valid, ended)


def next_expiry(keys: Sequence[StoredKey], now: float) -> float:
    """When the table of ``now`` has to be made anew."""
    times = [one.expires for one in keys if one.expires is not None and one.opens(now)]
    return min(times, default=NO_CHANGE)


def _explain(key: StoredKey) -> str:
    if key.ended is not None:
        return f"the key was revoked on {_day(key.ended)}"
    what = "was replaced by another, and expired" if key.replaced else "expired"
    return f"the key {what} on {_day(key.expires or 0.0)}"


def _day(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d at %H:%M UTC")
