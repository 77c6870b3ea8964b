"""JSON Schema from Google's clients: the order of properties, types in capitals, empty objects."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.dialects.schema.checks import (
    check_json_schema,
)
from casedesk_proxy.dialects.schema.ordering import fit_schema, lower_types, put_in_order
from tests.dialects.asking import OPENAI, VLLM


def checked(schema: Any) -> list[str]:
    """The paths of the faults in a JSON Schema."""
    faults: list[str] = []
    check_json_schema(schema, "s", lambda path, told: faults.append(path))
    return faults


def test_json_schemas_are_put_in_the_order_they_ask_for() -> None:
    inner = {"properties": {"x": {}, "y": {}, "z": {}}, "propertyOrdering": ["z", "x"]}
    schema = {
        "properties": {"propertyOrdering": {"type": "string"}, "b": {"items": inner}, "c": inner},
        "propertyOrdering": ["c", "b"],
        "anyOf": [inner, True],
        "default": {"propertyOrdering": ["kept"]},
    }
    before = json.dumps(schema)
    made = put_in_order(schema)
    assert json.dumps(schema) == before
    assert list(made["properties"]) == ["c", "b", "propertyOrdering"]
    for one in (made["properties"]["c"], made["properties"]["b"]["items"], made["anyOf"][0]):
        assert list(one["properties"]) == ["z", "x", "y"]
        assert "propertyOrdering" not in one
    assert made["default"] == schema["default"]
    assert "propertyOrdering" not in made
    assert checked(made) == []


def test_types_are_written_in_lower_case() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {"type": {"type": ["STRING", "NULL"]}, "b": {"items": {"type": "INTEGER"}}},
        "enum": [{"type": "KEPT"}],
    }
    assert lower_types(schema) == {
        "type": "object",
        "properties": {"type": {"type": ["string", "null"]}, "b": {"items": {"type": "integer"}}},
        "enum": [{"type": "KEPT"}],
    }


def test_an_object_without_properties_gets_empty_ones() -> None:
    bare = {"type": "object"}
    schema = {"properties": {"type": bare, "b": {"anyOf": [bare, {"type": "string"}]}}}
    whole = {"type": "object", "properties": {}}
    made = {"properties": {"type": whole, "b": {"anyOf": [whole, {"type": "string"}]}}}
    assert fit_schema(schema, OPENAI.profile) == made
    assert fit_schema(schema, VLLM.profile) == schema


def test_a_schema_that_is_too_deep_is_left_to_the_engine() -> None:
    schema: dict[str, Any] = {"type": "OBJECT"}
    for _ in range(300):
        schema = {"items": schema}
    assert lower_types(schema) is schema
    assert fit_schema(schema, OPENAI.profile) is schema
