"""Tables of fields as JSON Schema, in the dialect of OpenAPI 3.1.

A schema describes what a request may contain, not what is served: ignored and refused fields are
among its properties, with ``x-fate`` and a description that says so. Unknown fields are allowed
everywhere, as engines have many of their own.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField, Messages

__all__ = ["BINARY", "make_schemas"]

#: Bytes, as a field of a form.
BINARY = "binary"

#: The beginning of such a field's description.
_WORDS = {
    Fate.IGNORED: "Ignored",
    Fate.LEFT_OUT: "Left out with a warning",
    Fate.REFUSED: "Refused",
}


def make_schemas(messages: Messages) -> dict[str, Any]:
    """The schemas, by the messages' names."""
    return {name: _message(fields) for name, fields in messages.items()}


def _message(fields: dict[str, KnownField]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        # A dotted name is a field inside another one.
        "properties": {name: _field(one) for name, one in fields.items() if "." not in name},
    }
    if required := [name for name, one in fields.items() if one.required]:
        made["required"] = required
    return made


def _field(field: KnownField) -> dict[str, Any]:
    choices = [_kind(one, field.values) for one in field.kind.split("|")]
    made = choices[0] if len(choices) == 1 else {"anyOf": choices}
    words = ": ".join(part for part in (_WORDS.get(field.fate, ""), field.why) if part)
    if words:
        made = {**made, "description": f"{words[0].upper()}{words[1:]}."}
    return {**made, "x-fate": field.fate.value}


def _kind(kind: str, values: tuple[str, ...]) -> dict[str, Any]:
    if kind.endswith("[]"):
        return {"type": "array", "items": _kind(kind[:-2], values)}
    if kind == "any":
        return {}
    if kind == BINARY:
        return {"type": "string", "format": "binary"}
    if kind[0].isupper():
        return {"$ref": f"#/components/schemas/{kind}"}
    return {"type": kind, "enum": list(values)} if values else {"type": kind}
