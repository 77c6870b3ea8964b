"""The keys of the state file in the form that admission uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.config.limits import KeyLimits, LimitDefaults
from casedesk_proxy.keystore.rows import StoredKey
from casedesk_proxy.snapshot import compile_principal
from casedesk_proxy.terms import Principal
from casedesk_proxy.wording import spell_time

__all__ = ["NO_CHANGE", "make_table", "next_expiry"]

#: A time that never comes.
NO_CHANGE = float("inf")
_NO_DEFAULTS = LimitDefaults()


def make_table(
    keys: Iterable[StoredKey], now: float, defaults: LimitDefaults = _NO_DEFAULTS
) -> KeyTable:
    """The keys that are valid at ``now``, and why others are not. ``keys``: the revoked last, so
    that they never hide a valid key. ``defaults``: the limits of keys without their own. Raises
    ValueError for limits that cannot be read."""
    valid: list[tuple[str, Principal]] = []
    ended: list[tuple[str, str]] = []
    for key in keys:
        if key.opens(now):
            own = KeyLimits.model_validate_json(key.limits)
            made = compile_principal(key.name, key.deployments, key.admin, own, defaults)
            valid.append((key.sha256, made))
        else:
            ended.append((key.sha256, _explain(key)))
    return KeyTable(valid, ended)


def next_expiry(keys: Sequence[StoredKey], now: float) -> float:
    """When the table made at ``now`` must be made again."""
    times = [one.expires for one in keys if one.expires is not None and one.opens(now)]
    return min(times, default=NO_CHANGE)


def _explain(key: StoredKey) -> str:
    if key.ended is not None:
        return f"the key was revoked on {spell_time(key.ended)}"
    what = "was replaced by a new one and expired" if key.replaced else "expired"
    return f"the key {what} on {spell_time(key.expires or 0.0)}"
