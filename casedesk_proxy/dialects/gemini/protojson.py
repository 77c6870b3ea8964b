"""Reads a Gemini body, in all the spellings in which clients send it.

Proto JSON is lenient, and SDKs and their users use all of that: lowerCamelCase and snake_case mixed
in one body, enums as numbers or in any case, one object in place of a list, numbers as strings,
null for absent. The result has one spelling, one shape, and only fields that are used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.fields import MESSAGES, Field, FieldKind

__all__ = ["read_message"]

#: Prefixes of names in some enums.
_PREFIXES = ("MEDIA_RESOLUTION_", "THINKING_LEVEL_", "MODE_", "MODALITY_", "TASK_TYPE_")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: "_" + match[1].lower(), name)


#: For each message: (canonical name, field) by either spelling.
_SPELLED = {
    message: {
        spelling: (name, field)
        for name, field in fields.items()
        for spelling in (name, _snake(name))
    }
    for message, fields in MESSAGES.items()
}


def read_message(message: str, value: Any, path: str, findings: Findings) -> dict[str, Any]:
    """``value`` as a message of that name: canonical names, lists where the field is a list, enums
    as their upper-case names without prefix, and without fields that are null or unspecified.

    Finds all faults, not only the first. ``path`` is "" for the body itself.
    """
    if not isinstance(value, dict):
        findings.invalid(path, f"TYPE_MESSAGE, {message}")
        return {}
    known = _SPELLED[message]
    read: dict[str, Any] = {}
    for spelling, item in value.items():
        if spelling not in known:
            findings.unknown(path, spelling)
            continue
        if item is None:
            continue
        name, field = known[spelling]
        where = f"{path}.{name}" if path else name
        found = (
            _read_many(field, item, where, findings)
            if field.many
            else _read(field, item, where, findings)
        )
        if found is not None:
            read[name] = found
    return read


def _read_many(field: Field, value: Any, path: str, findings: Findings) -> list[Any] | None:
    items = value if isinstance(value, list) else [value]
    found = [_read(field, item, f"{path}[{at}]", findings) for at, item in enumerate(items)]
    return [one for one in found if one is not None] or None


def _read(field: Field, value: Any, path: str, findings: Findings) -> Any:
    """None if there is nothing to keep."""
    kind = field.kind
    if isinstance(kind, str):
        return read_message(kind, value, path, findings)
    if isinstance(kind, tuple):
        return _read_enum(kind, value, path, findings)
    if kind is FieldKind.REFUSED:
        # An empty object counts: ``{"googleSearch": {}}`` switches on that tool.
        if value or isinstance(value, dict):
            findings.refuse(path, field.why)
        return None
    return _READERS[kind](value, path, findings)


def _read_enum(names: tuple[str, ...], value: Any, path: str, findings: Findings) -> str | None:
    name = value
    if isinstance(value, int) and not isinstance(value, bool):
        name = names[value] if 0 <= value < len(names) else None
    elif isinstance(value, str):
        name = value.upper()
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        name = "" if name.endswith("UNSPECIFIED") else name
    if not isinstance(name, str) or name not in names:
        findings.invalid(path, "TYPE_ENUM")
        return None
    return name or None


def _read_text(value: Any, path: str, findings: Findings) -> str | None:
    if isinstance(value, str):
        return value
    findings.invalid(path, "TYPE_STRING")
    return None


def _read_flag(value: Any, path: str, findings: Findings) -> bool | None:
    if isinstance(value, bool):
        return value
    findings.invalid(path, "TYPE_BOOL")
    return None


def _read_number(value: Any, path: str, findings: Findings) -> float | None:
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is not None and math.isfinite(number):
        return number if isinstance(value, str) else value
    findings.invalid(path, "TYPE_FLOAT")
    return None


def _read_integer(value: Any, path: str, findings: Findings) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # google-genai 3.6.1 sends topK as 5.0
    in_range = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**31
    if in_range and value != 2**31:
        return int(value)
    findings.invalid(path, "TYPE_INT32")
    return None


def _read_object(value: Any, path: str, findings: Findings) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    findings.invalid(path, "TYPE_MESSAGE")
    return None


def _read_any(value: Any, path: str, findings: Findings) -> Any:
    return value


def _ignore(value: Any, path: str, findings: Findings) -> None:
    return None


_READERS: dict[FieldKind, Callable[[Any, str, Findings], Any]] = {
    FieldKind.TEXT: _read_text,
    FieldKind.NUMBER: _read_number,
    FieldKind.INTEGER: _read_integer,
    FieldKind.FLAG: _read_flag,
    FieldKind.OBJECT: _read_object,
    FieldKind.ANY: _read_any,
    FieldKind.IGNORED: _ignore,
}
