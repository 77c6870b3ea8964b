"""Adapts JSON Schema from Google's clients to what nodes accept.

Nodes generate properties in the order of the schema, so properties are put into the order of
Gemini's own keyword ``propertyOrdering``. Types in capitals are those of the Schema message, which
clients also put into JSON Schema (gemini-cli's router does with every prompt).
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.schema.formats import NAMED, VALUES
from casedesk_proxy.engines.profile import Profile
from casedesk_proxy.jsonio import is_deeper

__all__ = ["complete_objects", "fit_schema", "in_order", "lower_types", "put_in_order"]

_WORD = "propertyOrdering"
#: Levels of lists and objects.
_MAX_DEPTH = 200
_MAX_COMPLETED_DEPTH = 150


def fit_schema(schema: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """The schema in the engine's form. A schema that is too deep for a walk is left for the engine
    to judge."""
    if not profile.complete_objects or is_deeper(schema, _MAX_COMPLETED_DEPTH):
        return schema
    return complete_objects(schema)


def put_in_order(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema in the order of ``propertyOrdering``, without that keyword.

    For a schema that was serialised before, and so is not too deep for a recursion.
    """
    made = {word: _inside(word, value) for word, value in schema.items()}
    ordering, properties = made.get(_WORD), made.get("properties")
    if isinstance(ordering, list):
        del made[_WORD]
        if isinstance(properties, dict):
            made["properties"] = in_order(properties, ordering)
    return made


def in_order(properties: dict[str, Any], ordering: list[Any]) -> dict[str, Any]:
    """The properties that ``ordering`` names first, in its order."""
    first = [name for name in ordering if isinstance(name, str) and name in properties]
    return {name: properties[name] for name in [*first, *properties]}


def complete_objects(schema: dict[str, Any], *, named: bool = False) -> dict[str, Any]:
    """The schema, with empty ``properties`` added to each object that has none: plain OpenAI
    servers refuse it otherwise. ``named``: the keys are the client's own names."""
    made = {
        word: value
        if not named and word in VALUES
        else _complete(value, not named and word in NAMED)
        for word, value in schema.items()
    }
    if not named and schema.get("type") == "object" and "properties" not in schema:
        made["properties"] = {}
    return made


def _complete(value: Any, named: bool) -> Any:
    if isinstance(value, list):
        return [_complete(one, False) for one in value]
    return complete_objects(value, named=named) if isinstance(value, dict) else value


def lower_types(schema: Any) -> Any:
    """The schema with its types in lower case; a schema that is too deep for a walk is returned
    unchanged, to be refused for that."""
    return schema if is_deeper(schema, _MAX_DEPTH) else _lower_types(schema, False)


def _lower_types(value: Any, named: bool) -> Any:
    if isinstance(value, list):
        return [_lower_types(one, False) for one in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for word, inner in value.items():
        if not named and word == "type":
            made[word] = _lower(inner)
        elif not named and word in VALUES:
            made[word] = inner
        else:
            made[word] = _lower_types(inner, not named and word in NAMED)
    return made


def _lower(kind: Any) -> Any:
    if isinstance(kind, list):
        return [one.lower() if isinstance(one, str) else one for one in kind]
    return kind.lower() if isinstance(kind, str) else kind


def _inside(word: str, value: Any) -> Any:
    """The value of a keyword; the keys below some keywords are the client's own names."""
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
