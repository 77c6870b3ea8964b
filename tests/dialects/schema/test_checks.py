"""JSON Schema from a client: its faults, and whether it is strict."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.schema.checks import MAX_DEPTH, check_json_schema, is_strict
from tests.fixtures.table import table


def checked(schema: Any) -> list[str]:
    """The paths of the faults in a JSON Schema."""
    faults: list[str] = []
    check_json_schema(schema, "s", lambda path, told: faults.append(path))
    return faults


@table(
    "schema",
    [
        {},
        {"type": ["string", "null"], "const": "x", "$schema": "x", "multipleOf": 2, "strange": 1},
        {"type": "object", "required": ["a"]},
        {"properties": {"a": True, "b": False}, "required": ["a"]},
        {"oneOf": [{"properties": {"a": {}}}, {}, True], "properties": {}, "required": ["a"]},
        {"enum": ["a", 1, 1.5, None]},
        {"items": [{"type": "string"}]},
        {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"},
        {"$defs": {"a/b~c d": {}}, "$ref": "#/$defs/a~1b~0c%20d"},
        {"anyOf": [{"type": "string"}, {"$ref": "#/anyOf/0"}]},
        {"properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["a"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"propertyOrdering": ["a"], "properties": {"a": {}}},
        {
            "not": {"type": "string"},
            "if": {},
            "then": {},
            "else": {},
            "additionalProperties": False,
        },
    ],
)
def test_json_schemas_that_pass(schema: dict[str, Any]) -> None:
    assert checked(schema) == []


@table(
    ("schema", "paths"),
    [
        (7, ["s"]),
        ([], ["s"]),
        ({"type": "STRING"}, ["s.type"]),
        ({"type": ["string", 7]}, ["s.type"]),
        ({"properties": {"a": 7}}, ["s.properties.a"]),
        ({"properties": []}, ["s.properties"]),
        ({"anyOf": []}, ["s.anyOf"]),
        ({"allOf": {}}, ["s.allOf"]),
        ({"anyOf": [3]}, ["s.anyOf[0]"]),
        ({"items": [{"type": "x"}]}, ["s.items[0].type"]),
        ({"not": {"type": "x"}}, ["s.not.type"]),
        ({"enum": []}, ["s.enum"]),
        ({"enum": [[]]}, ["s.enum"]),
        ({"enum": "a"}, ["s.enum"]),
        ({"pattern": 1}, ["s.pattern"]),
        ({"minItems": 2, "maxItems": 1}, ["s.minItems"]),
        ({"minItems": "1"}, ["s.minItems"]),
        ({"properties": {"a": {}}, "required": ["b", {}, "a", "a"]},
         ["s.required[0]", "s.required[1]", "s.required[3]"]),
        ({"$ref": "https://example.com/x"}, ["s.$ref"]),
        ({"$ref": 7}, ["s.$ref"]),
        ({"$ref": "#/$defs/x"}, ["s.$ref"]),
        ({"$ref": "#/items/0x"}, ["s.$ref"]),
        ({"$defs": {"a": 7}, "$ref": "#/$defs/a"}, ["s.$ref", "s.$defs.a"]),
        ({"$ref": "#"}, ["s.$ref"]),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, ["s.$defs.b.$ref"]),
        ({"allOf": [{"$ref": "#"}]}, ["s.allOf[0].$ref"]),
        ({"oneOf": [{"$ref": "#"}]}, ["s.oneOf[0].$ref"]),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, ["s.properties.a.$ref"]),
        ({"description": "x" * 300_000}, ["s"]),
    ],
)  # fmt: skip
def test_json_schemas_with_faults(schema: Any, paths: list[str]) -> None:
    assert checked(schema) == paths


def test_a_deep_json_schema() -> None:
    schema: dict[str, Any] = {}
    for _ in range(MAX_DEPTH + 1):
        schema = {"items": schema}
    assert checked(schema) == ["s" + ".items" * (MAX_DEPTH + 1)]


def test_a_long_chain_of_references_is_walked_once() -> None:
    defs = {f"a{at}": {"$ref": f"#/$defs/a{at + 1}"} for at in range(4000)}
    assert checked({"$defs": {**defs, "a4000": {}}}) == []


@table(
    ("change", "strict"),
    [
        ({}, True),
        ({"additionalProperties": True}, False),
        ({"required": []}, False),
        ({"required": "a"}, False),
        ({"type": "array"}, False),
        ({"type": ["object", "null"]}, False),
        ({"properties": []}, False),
        ({"properties": {"a": {"type": "object"}}}, False),
        ({"properties": {"a": {"type": ["string", "null"]}}}, True),
        ({"properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
        ({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, True),
        ({"properties": {"a": True}}, False),
    ],
)
def test_strict(change: dict[str, Any], strict: bool) -> None:
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert is_strict({**closed, **change}) is strict


def test_strict_is_not_deep() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(11):
        schema = {
            "type": "object",
            "properties": {"a": schema},
            "required": ["a"],
            "additionalProperties": False,
        }
    assert not is_strict(schema)
