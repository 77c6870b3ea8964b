"""Gemini's two schema dialects: translates the Schema message to JSON Schema, and checks both.

The Schema message is a subset of OpenAPI 3.0 with fixed keywords; ``…JsonSchema`` fields contain
real JSON Schema and are passed on unchanged. The result never contains a keyword that the client
did not set. Paths are those of the request: ``generationConfig.responseSchema.required[0]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from casedesk_proxy.dialects.core.findings import shorten
from casedesk_proxy.dialects.schema.checks import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_PATTERN_CHARS,
    PAIRS,
    TOO_DEEP,
    TOO_MANY,
    Report,
    check_enum,
    check_json_schema,
    check_names,
    check_pairs,
    check_size,
)
from casedesk_proxy.dialects.schema.ordering import in_order

__all__ = ["convert_schema"]

_TYPES = ("", "string", "number", "integer", "boolean", "array", "object", "null")
#: Formats that only say how Google stores a number, or that an enum is one.
_STORAGE = frozenset({"enum", "int32", "int64", "float", "double"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength",
                     "minProperties", "maxProperties"})  # fmt: skip
_WORDS = (
    *("type", "format", "title", "description", "nullable", "enum", "items", "properties"),
    *("required", "minimum", "maximum", "pattern", "example", "anyOf", "propertyOrdering"),
    *("default", "additionalProperties", "defs", "ref"),
    *_COUNTS,
)
_SNAKE = {
    "any_of": "anyOf",
    "property_ordering": "propertyOrdering",
    "additional_properties": "additionalProperties",
    **{name.replace("I", "_i").replace("L", "_l").replace("P", "_p"): name for name in _COUNTS},
}
_CANONICAL = {word: word for word in _WORDS} | _SNAKE


def convert_schema(
    schema: dict[str, Any], path: str, report: Report, unknown: Callable[[str, str], None]
) -> dict[str, Any]:
    """A Schema message as JSON Schema. ``unknown`` takes the path and the name of a keyword that
    the message does not have. After any report the result must not be used."""
    if not check_size(schema, path, report):
        return {}
    conversion = _Conversion(report, unknown)
    made = conversion.convert(schema, path, 0)
    if conversion.refers:
        check_json_schema(made, path, report)
    return made


@dataclass(slots=True)
class _Conversion:
    report: Report
    unknown: Callable[[str, str], None]
    nodes: int = field(default=0)
    refers: bool = field(default=False)

    def convert(self, schema: Any, path: str, depth: int) -> dict[str, Any]:
        words = self._read(schema, path, depth)
        if words is None:
            return {}
        kind = self._type(words, path)
        made: dict[str, Any] = {"type": kind} if kind else {}
        self._copy(words, made, path)
        self._enum(words, made, kind, path)
        self._numbers(words, made, path)
        self._children(words, made, path, depth)
        if kind == "array" and "items" not in words:
            self.report(f"{path}.items", "missing field")
        check_names(words, made.get("properties"), kind == "object", path, self.report)
        _order(words, made)
        _allow_null(words, made)
        return made

    def _read(self, schema: Any, path: str, depth: int) -> dict[str, Any] | None:
        """The keywords in one spelling; None if it cannot be read."""
        self.nodes += 1
        if not isinstance(schema, dict):
            self.report(path, "a schema must be an object")
            return None
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            if depth == MAX_DEPTH + 1 or self.nodes == MAX_NODES + 1:
                self.report(path, TOO_DEEP if depth > MAX_DEPTH else TOO_MANY)
            return None
        words: dict[str, Any] = {}
        for spelling, value in schema.items():
            word = _CANONICAL.get(spelling)
            if word is None:
                self.unknown(path, spelling)
            elif value is not None:
                words[word] = value
        return words

    def _type(self, words: dict[str, Any], path: str) -> str:
        value = words.get("type", "")
        kind: str | None = None
        if isinstance(value, str):
            kind = "" if value.upper() == "TYPE_UNSPECIFIED" else value.lower()
        elif type(value) is int and 0 <= value < len(_TYPES):
            kind = _TYPES[value]
        if kind not in _TYPES:
            self.report(f"{path}.type", "unknown type")
            return ""
        if not kind and not words.keys() & {"anyOf", "ref", "enum"}:
            self.report(f"{path}.type", "missing field")
        return kind

    def _copy(self, words: dict[str, Any], made: dict[str, Any], path: str) -> None:
        for word in ("title", "description"):
            if word in words:
                self._text(words[word], f"{path}.{word}")
                made[word] = words[word]
        if "pattern" in words:
            pattern = words["pattern"]
            if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
                self.report(
                    f"{path}.pattern", f"must be text of up to {MAX_PATTERN_CHARS} characters"
                )
            made["pattern"] = pattern
        form = words.get("format")
        if form and self._text(form, f"{path}.format") and form not in _STORAGE:
            made["format"] = form
        if "default" in words:
            made["default"] = words["default"]
        if "nullable" in words and not isinstance(words["nullable"], bool):
            self.report(f"{path}.nullable", "must be true or false")
        if "ref" in words and self._text(words["ref"], f"{path}.ref"):
            self.refers = True
            made["$ref"] = words["ref"].replace("#/defs/", "#/$defs/", 1)

    def _text(self, value: Any, path: str) -> bool:
        if not isinstance(value, str):
            self.report(path, "must be text")
            return False
        return True

    def _enum(self, words: dict[str, Any], made: dict[str, Any], kind: str, path: str) -> None:
        if "enum" not in words:
            return
        values = words["enum"]
        values = values if isinstance(values, list) else [values]
        if not check_enum(values, (str,), f"{path}.enum", self.report):
            return
        made["enum"] = values
        if kind in ("integer", "number"):
            numbers = [_number(one) for one in values]
            if None in numbers or (kind == "integer" and not all(map(_is_whole, numbers))):
                self.report(f"{path}.enum", f"has a value that is not of type {kind}")
            made["enum"] = numbers

    def _numbers(self, words: dict[str, Any], made: dict[str, Any], path: str) -> None:
        for word in (word for pair in PAIRS for word in pair):
            if word not in words:
                continue
            value = words[word]
            # int64 is a string in proto JSON, and a double may be.
            made[word] = _number(value) if isinstance(value, str | float) else value
            if made[word] is None:
                self.report(f"{path}.{word}", "must be a number")
        check_pairs(made, path, self.report)

    def _children(self, words: dict[str, Any], made: dict[str, Any], path: str, depth: int) -> None:
        if "items" in words:
            made["items"] = self.convert(words["items"], f"{path}.items", depth + 1)
        for word, key in (("properties", "properties"), ("defs", "$defs")):
            if word in words:
                made[key] = self._map(words[word], f"{path}.{word}", depth)
        if "anyOf" in words:
            branches = words["anyOf"]
            branches = branches if isinstance(branches, list) else [branches]
            if not branches:
                self.report(f"{path}.anyOf", "must be a list with at least one schema")
            made["anyOf"] = [
                self.convert(branch, f"{path}.anyOf[{at}]", depth + 1)
                for at, branch in enumerate(branches)
            ]
        if "additionalProperties" in words:
            more = words["additionalProperties"]
            made["additionalProperties"] = (
                more
                if isinstance(more, bool)
                else self.convert(more, f"{path}.additionalProperties", depth + 1)
            )

    def _map(self, schemas: Any, path: str, depth: int) -> dict[str, Any]:
        """The names are the client's own, even if they look like keywords."""
        if not isinstance(schemas, dict):
            self.report(path, "must be an object")
            return {}
        return {
            name: self.convert(schema, f"{path}.{shorten(name)}", depth + 1)
            for name, schema in schemas.items()
        }


def _number(value: str | float) -> int | float | None:
    """Whole numbers as int; None for a value that is not a number, not finite, or cannot be written
    in JSON."""
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _is_whole(number: int | float | None) -> bool:
    return isinstance(number, int)


def _order(words: dict[str, Any], made: dict[str, Any]) -> None:
    """Nodes generate properties in the order of the schema."""
    required = words.get("required")
    if required:
        made["required"] = required if isinstance(required, list) else [required]
    ordering, properties = words.get("propertyOrdering"), made.get("properties")
    if isinstance(ordering, list) and isinstance(properties, dict):
        made["properties"] = in_order(properties, ordering)


def _allow_null(words: dict[str, Any], made: dict[str, Any]) -> None:
    if words.get("nullable") is not True:
        return
    if made.get("type") not in (None, "null"):
        made["type"] = [made["type"], "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    if "anyOf" in made:
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
    elif "$ref" in made:
        # The target may be used elsewhere too, where null is not allowed.
        made["anyOf"] = [{"$ref": made.pop("$ref")}, {"type": "null"}]
