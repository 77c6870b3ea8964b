"""Gemini's Schema message becomes JSON Schema, and its faults are found."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.schema.checks import (
    MAX_DEPTH,
    MAX_PATTERN_CHARS,
    check_json_schema,
    is_strict,
)
from casedesk_proxy.dialects.schema.gemini import convert_schema
from tests.fixtures.table import table


def convert(schema: dict[str, Any]) -> dict[str, Any]:
    faults: list[Any] = []
    made = convert_schema(
        schema, "s", lambda *fault: faults.append(fault), lambda *fault: faults.append(fault)
    )
    assert faults == []
    jsonschema.Draft202012Validator.check_schema(made)
    return made


def faults_of(schema: Any) -> list[str]:
    """The paths of the faults in a Schema message."""
    faults: list[str] = []
    convert_schema(
        schema,
        "s",
        lambda path, told: faults.append(path),
        lambda path, name: faults.append(f"{path}?{name}"),
    )
    return faults


def checked(schema: Any) -> list[str]:
    """The paths of the faults in a JSON Schema."""
    faults: list[str] = []
    check_json_schema(schema, "s", lambda path, told: faults.append(path))
    return faults


STRING = {"type": "STRING"}


@table(
    ("schema", "made"),
    [
        ({"type": "OBJECT"}, {"type": "object"}),
        ({"type": "object", "properties": {}}, {"type": "object", "properties": {}}),
        ({"type": 1}, {"type": "string"}),
        ({"type": 7}, {"type": "null"}),
        ({"type": "String", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "STRING", "format": ""}, {"type": "string"}),
        ({"type": "NUMBER", "format": "double"}, {"type": "number"}),
        ({"type": "INTEGER", "format": "int64"}, {"type": "integer"}),
        ({"type": "STRING", "format": "enum", "enum": ["a", "b"]},
         {"type": "string", "enum": ["a", "b"]}),
        ({"type": "INTEGER", "enum": ["1", "2"]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "NUMBER", "enum": ["1.5", "2"]}, {"type": "number", "enum": [1.5, 2]}),
        ({"enum": "a"}, {"enum": ["a"]}),
        ({"type": 0, "enum": ["a"]}, {"enum": ["a"]}),
        ({"type": "TYPE_UNSPECIFIED", "anyOf": [STRING]}, {"anyOf": [{"type": "string"}]}),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "NULL", "nullable": True}, {"type": "null"}),
        ({"type": "STRING", "nullable": False}, {"type": "string"}),
        ({"type": "STRING", "enum": ["a"], "nullable": True},
         {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "OBJECT", "properties": {"a": {"ref": "#/defs/x", "nullable": True}},
          "defs": {"x": STRING}},
         {"type": "object", "$defs": {"x": {"type": "string"}},
          "properties": {"a": {"anyOf": [{"$ref": "#/$defs/x"}, {"type": "null"}]}}}),
        ({"any_of": [STRING, {"type": "INTEGER"}], "nullable": True},
         {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}),
        ({"anyOf": STRING}, {"anyOf": [{"type": "string"}]}),
        ({"type": "ARRAY", "items": STRING, "minItems": "1", "max_items": 3},
         {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}),
        ({"type": "STRING", "minLength": "2", "max_length": "5", "pattern": "^a"},
         {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^a"}),
        ({"type": "OBJECT", "min_properties": 1.0, "maxProperties": "2"},
         {"type": "object", "minProperties": 1, "maxProperties": 2}),
        ({"type": "NUMBER", "minimum": -1.5, "maximum": 2},
         {"type": "number", "minimum": -1.5, "maximum": 2}),
        ({"type": "STRING", "title": "t", "description": "d", "default": "x", "example": "e"},
         {"type": "string", "title": "t", "description": "d", "default": "x"}),
        ({"type": "OBJECT", "additionalProperties": False},
         {"type": "object", "additionalProperties": False}),
        ({"type": "OBJECT", "additional_properties": STRING},
         {"type": "object", "additionalProperties": {"type": "string"}}),
        ({"type": "OBJECT", "properties": {"a": STRING}, "required": "a"},
         {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
        ({"type": "OBJECT", "properties": {"a": STRING}, "required": []},
         {"type": "object", "properties": {"a": {"type": "string"}}}),
        ({"ref": "#/defs/a", "defs": {"a": STRING}},
         {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
        ({"type": "STRING", "description": None}, {"type": "string"}),
    ],
)  # fmt: skip
def test_conversion(schema: dict[str, Any], made: dict[str, Any]) -> None:
    assert convert(schema) == made


def test_property_names_that_look_like_words_are_names() -> None:
    names = ["type", "enum", "nullable", "required", "format", "items", "anyOf", "any_of", "ref",
             "properties", "propertyOrdering", "oneOf", "$ref"]  # fmt: skip
    inner = {"type": "OBJECT", "properties": dict.fromkeys(names, STRING), "required": names}
    made = convert({"type": "OBJECT", "properties": {"properties": inner}})
    found = made["properties"]["properties"]
    assert found["properties"] == {name: {"type": "string"} for name in names}
    assert found["required"] == names
    assert checked(made) == []


def test_properties_come_in_the_order_asked_for() -> None:
    properties = dict.fromkeys("abcd", STRING)
    for word in ("propertyOrdering", "property_ordering"):
        made = convert({"type": "OBJECT", "properties": properties, word: ["d", "b"]})
        assert list(made["properties"]) == ["d", "b", "a", "c"]
        assert word not in made


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(levels):
        schema = {"type": "ARRAY", "items": schema}
    return schema


@table(
    ("schema", "paths"),
    [
        ({}, ["s.type"]),
        ({"type": "STRUCT"}, ["s.type"]),
        ({"type": 8}, ["s.type"]),
        ({"type": True}, ["s.type"]),
        ({"type": ["string", "null"]}, ["s.type"]),
        ({"type": "OBJECT", "properties": {"a": {}}}, ["s.properties.a.type"]),
        ({"type": "OBJECT", "properties": {"a": 7}}, ["s.properties.a"]),
        ({"type": "OBJECT", "properties": []}, ["s.properties"]),
        ({"type": "OBJECT", "properties": {"a": STRING}, "required": ["a", "b", "a", 1]},
         ["s.required[1]", "s.required[2]", "s.required[3]"]),
        ({"type": "OBJECT", "required": ["a"]}, ["s.required[0]"]),
        ({"type": "OBJECT", "properties": {"a": STRING}, "propertyOrdering": ["b", "a", "a"]},
         ["s.propertyOrdering[0]", "s.propertyOrdering[2]"]),
        ({"type": "ARRAY"}, ["s.items"]),
        ({"type": "STRING", "enum": []}, ["s.enum"]),
        ({"type": "STRING", "enum": [1]}, ["s.enum"]),
        ({"type": "INTEGER", "enum": ["x"]}, ["s.enum"]),
        ({"type": "INTEGER", "enum": ["1.5"]}, ["s.enum"]),
        ({"type": "INTEGER", "enum": ["9" * 5000]}, ["s.enum"]),
        ({"type": "NUMBER", "enum": ["nan"]}, ["s.enum"]),
        ({"type": "STRING", "minLength": 3, "maxLength": "2"}, ["s.minLength"]),
        ({"type": "NUMBER", "minimum": 3, "maximum": 2}, ["s.minimum"]),
        ({"type": "STRING", "minLength": -1}, ["s.minLength"]),
        ({"type": "STRING", "minLength": 1.5}, ["s.minLength"]),
        ({"type": "STRING", "minLength": "x"}, ["s.minLength"]),
        ({"type": "STRING", "minLength": True}, ["s.minLength"]),
        ({"type": "STRING", "minLength": "9" * 400}, ["s.minLength"]),
        ({"type": "STRING", "maximum": []}, ["s.maximum"]),
        ({"type": "STRING", "pattern": 7}, ["s.pattern"]),
        ({"type": "STRING", "pattern": "x" * (MAX_PATTERN_CHARS + 1)}, ["s.pattern"]),
        ({"type": "STRING", "title": 7, "description": 8}, ["s.title", "s.description"]),
        ({"type": "STRING", "format": 7}, ["s.format"]),
        ({"type": "STRING", "nullable": 1}, ["s.nullable"]),
        ({"ref": 7}, ["s.ref"]),
        ({"ref": "#/defs/a"}, ["s.$ref"]),
        ({"ref": "https://example.com"}, ["s.$ref"]),
        ({"anyOf": [STRING, {"type": "x"}]}, ["s.anyOf[1].type"]),
        ({"anyOf": []}, ["s.anyOf"]),
        ({"type": "STRING", "oneOf": [], "$ref": "x", "const": 1, "allOf": []},
         ["s?oneOf", "s?$ref", "s?const", "s?allOf"]),
        (deep(MAX_DEPTH + 1), ["s" + ".items" * (MAX_DEPTH + 1)]),
        ({"type": "STRING", "description": "x" * 300_000}, ["s"]),
    ],
)  # fmt: skip
def test_faults_of_the_message(schema: Any, paths: list[str]) -> None:
    assert faults_of(schema) == paths


def test_a_deep_schema_within_the_limit() -> None:
    assert faults_of(deep(MAX_DEPTH)) == []


def test_a_schema_of_too_many_parts() -> None:
    wide = {"type": "OBJECT", "properties": {f"x{at}": STRING for at in range(5001)}}
    assert len(faults_of(wide)) == 1
    assert len(checked({"properties": {f"x{at}": {} for at in range(5001)}})) == 1


@table(
    "extra",
    [
        {"anyOf": [{"type": "OBJECT", "properties": {"b": STRING}}]},
        {"additionalProperties": True},
        {"additionalProperties": STRING},
    ],
)
def test_names_that_are_let_in_otherwise(extra: dict[str, Any]) -> None:
    schema = {"type": "OBJECT", "properties": {"a": STRING}, "required": ["b"]}
    assert faults_of(schema) == ["s.required[0]"]
    assert faults_of({**schema, **extra}) == []
    assert checked({"properties": {"a": {}}, "required": ["b"]}) == ["s.required[0]"]


WORDS = st.sampled_from(
    ["type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "enum", "$ref", "$defs",
     "minItems", "maxItems", "pattern", "nullable", "propertyOrdering", "additionalProperties",
     "ref", "defs", "format", "default", "x", "any_of", "min_length"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["STRING", "object", "x", 1, 6, -1, 1e300, 2**64 - 1, "12", True, None, "#", "#/$defs/x", ""]
)
MESS: st.SearchStrategy[Any] = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)
)


@given(st.dictionaries(WORDS, MESS, max_size=5))
def test_any_object_is_converted_or_faulty(schema: dict[str, Any]) -> None:
    faults: list[Any] = []
    made = convert_schema(
        schema, "s", lambda *fault: faults.append(fault), lambda *fault: faults.append(fault)
    )
    if not faults:
        json.dumps(made, allow_nan=False)
        jsonschema.Draft202012Validator.check_schema(made)
    if not checked(schema):
        is_strict(schema)
