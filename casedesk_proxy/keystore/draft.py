"""A key as an operator describes it, checked by the rules of the configuration's ``keys``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from casedesk_proxy.config.parameter_checks import check_rules
from casedesk_proxy.config.schema import Key
from casedesk_proxy.config.settings import spell
from casedesk_proxy.config.units import parse_duration
from casedesk_proxy.config.wording import word
from casedesk_proxy.keystore.changes import KeyFault
from casedesk_proxy.keystore.rows import StoredKey

__all__ = ["draft_key", "draft_new_key", "parse_when", "redraft_key"]

#: The parts of a key that can be changed.
_CHANGEABLE = ("deployments", "note", "admin", "limits", "expires")
#: In place of a limit: the key has no own limit, so that of `limits.keys` counts.
_OF_ALL_KEYS = "default"
#: The year 5138. A later time is a mistake.
_LATEST_S = 1e11


def draft_key(fields: Mapping[str, Any], now: float) -> StoredKey:
    """``fields``: as an entry of ``keys`` in the configuration, and ``expires`` in the form of
    `parse_when`. Raises KeyFault for the first fault; no message repeats a secret."""
    rest = dict(fields)
    expires = rest.pop("expires", None)
    try:
        key = Key.model_validate(rest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = first["loc"]
        message, remedy = word(
            first["type"], ("keys", 0, *where), first.get("input"), first.get("ctx", {})
        )
        text = f"{message}; {remedy}" if remedy else message
        raise KeyFault(spell(where) or "key", text) from None
    _check_parameters(rest.get("limits"))
    return StoredKey(
        name=key.name, sha256=key.sha256, deployments=tuple(dict.fromkeys(key.deployments)),
        note=key.note, admin=key.admin, expires=parse_when(expires, now),
        limits=key.limits.model_dump_json(exclude_unset=True),
    )  # fmt: skip


def draft_new_key(fields: Mapping[str, Any], now: float) -> StoredKey:
    """As `draft_key`, for a key that will be used: it must not have expired. Raises KeyFault."""
    key = draft_key(fields, now)
    if key.expires is not None and key.expires <= now:
        raise KeyFault("expires", "is in the past; write a later time, or 30d")
    return key


def redraft_key(old: StoredKey, fields: Mapping[str, Any], now: float) -> StoredKey:
    """The key with ``fields`` changed, which are as for `draft_key`. Of ``limits`` only the named
    ones change: null is no limit, and "default" that of all keys. Raises KeyFault."""
    for name in fields:
        if name not in _CHANGEABLE:
            raise KeyFault(name, f"cannot be changed; {', '.join(_CHANGEABLE)} can")
    given = dict(fields)
    if "limits" in given:
        if not isinstance(given["limits"], Mapping):
            raise KeyFault("limits", 'is not an object; write {"tokens_per_day": 100000}')
        limits = {**json.loads(old.limits), **given["limits"]}
        given["limits"] = {name: one for name, one in limits.items() if one != _OF_ALL_KEYS}
    rest = {"limits": json.loads(old.limits), **given, "name": old.name, "sha256": old.sha256}
    drafted = draft_key({"deployments": old.deployments, "note": old.note, "admin": old.admin,
                         "expires": old.expires, **rest}, now)  # fmt: skip
    return replace(drafted, created=old.created, used=old.used)


def _check_parameters(limits: object) -> None:
    """For a key that is otherwise valid. Raises KeyFault."""
    rules = limits.get("parameters") if isinstance(limits, Mapping) else None
    if not isinstance(rules, dict):
        return
    for finding in check_rules(("limits", "parameters"), rules):
        if not finding.warns:
            text = f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message
            raise KeyFault(spell(finding.path), text)


def parse_when(value: object, now: float) -> float | None:
    """``30d`` from ``now``, a day or a time of ISO 8601 (UTC unless it says otherwise), seconds
    since 1970, or ``never`` and None, which give None. Raises KeyFault."""
    if value is None or value == "never":
        return None
    if isinstance(value, str):
        when = _parse_text(value, now)
    else:
        when = float(value) if isinstance(value, int | float) and value is not True else -1.0
    if not 0 < when < _LATEST_S:
        raise KeyFault("expires", "is not a time; write 30d, 2027-01-31, 2027-01-31T18:00 or never")
    return when


def _parse_text(text: str, now: float) -> float:
    if text == "now":
        return now
    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return -1.0
