"""Gemini's one word in JSON Schema that nodes do not know: ``propertyOrdering``.

Nodes generate properties in the order in which the schema has them, so the word is obeyed by
putting them into that order.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.schema_formats import NAMED, VALUES

__all__ = ["put_in_order"]

_WORD = "propertyOrdering"


def put_in_order(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema in the order that it asks for, without the word that asks.

    For one that has been written as JSON, and so is not too deep for a recursion.
    """
    made = {word: _inside(word, value) for word, value in schema.items()}
    ordering, properties = made.get(_WORD), made.get("properties")
    if isinstance(ordering, list):
        del made[_WORD]
        if isinstance(properties, dict):
            first = [name for name in ordering if isinstance(name, str) and name in properties]
            made["properties"] = {name: properties[name] for name in [*first, *properties]}
    return made


def _inside(word: str, value: Any) -> Any:
    """What stands behind a word; the keys below some are the client's own names, not words."""
    if word in VALUES:
        return value
    if isinstance(value, list):
        return [put_in_order(one) if isinstance(one, dict) else one for one in value]
    if not isinstance(value, dict):
        return value
    if word not in NAMED:
        return put_in_order(value)
    return {
        name: put_in_order(one) if isinstance(one, dict) else one for name, one in value.items()
    }
