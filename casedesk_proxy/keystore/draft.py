"""A key as people describe it, checked by the rules of the configuration's ``keys``."""

from __future__ import annotations

from collections.abc import Mapping
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

__all__ = ["draft_key", "parse_when"]

#: The year 5138. What is later is a slip of the pen.
_LATEST_S = 1e11


def draft_key(fields: Mapping[str, Any], now: float) -> StoredKey:
    """``fields``: as an entry of ``keys`` in the configuration, and ``expires`` as `parse_when`
    takes it. Raises KeyFault for the first that is wrong; no message repeats a secret."""
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


def _check_parameters(limits: object) -> None:
    """Those of a key that is well-formed. Raises KeyFault."""
    rules = limits.get("parameters") if isinstance(limits, Mapping) else None
    if not isinstance(rules, dict):
        return
    for finding in check_rules(("limits", "parameters"), rules):
        if not finding.warns:
            text = f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message
            raise KeyFault(spell(finding.path), text)


def parse_when(value: object, now: float) -> float | None:
    """``30d`` from ``now``, a day or a time of ISO 8601 (UTC unless it says otherwise), seconds
    since 1970, or ``never`` and None, which are None. Raises KeyFault."""
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
