"""Checks of a schema before a node gets it, and the walk over real JSON Schema.

Prismatic's promise: a name in ``required`` must exist in ``properties``, or the request is refused.
Nothing is ever fetched: a reference that does not point into the same document is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from casedesk_proxy.dialects.core.findings import shorten
from casedesk_proxy.jsonio import dumps

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_PATTERN_CHARS",
    "PAIRS",
    "TOO_DEEP",
    "TOO_MANY",
    "Report",
    "check_enum",
    "check_json_schema",
    "check_names",
    "check_pairs",
    "check_size",
    "is_strict",
]

#: No node compiles the grammar of a larger schema in reasonable time; Google refuses it too.
_MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 5000
#: Nodes compile patterns with their own regular-expression engines, which a long pattern can stall.
MAX_PATTERN_CHARS = 2048

#: The first words are Google's; gemini-cli searches for them.
TOO_DEEP = f"maximum schema depth exceeded: at most {MAX_DEPTH} levels are allowed"
TOO_MANY = f"the schema has too many parts: at most {MAX_NODES} are allowed"

PAIRS = (
    ("minItems", "maxItems"),
    ("minLength", "maxLength"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
)
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not", "if", "then", "else", "contains",
            "propertyNames", "additionalItems", "unevaluatedItems",
            "unevaluatedProperties")  # fmt: skip

#: Takes a path and the fault there.
Report = Callable[[str, str], None]


def check_size(schema: Any, path: str, report: Report) -> bool:
    if len(dumps(schema)) <= _MAX_BYTES:
        return True
    report(path, f"the schema is larger than {_MAX_BYTES} bytes")
    return False


def check_enum(values: Any, types: tuple[type, ...], path: str, report: Report) -> bool:
    if not isinstance(values, list) or not values:
        report(path, "must be a list with at least one value")
    elif not all(isinstance(value, types) for value in values):
        report(path, "has a value of the wrong type")
    else:
        return True
    return False


def check_pairs(schema: dict[str, Any], path: str, report: Report) -> None:
    for low, high in PAIRS:
        bounds = []
        for word in (low, high):
            value = schema.get(word)
            if value is None:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool):
                report(f"{path}.{word}", "must be a number")
            elif low != "minimum" and (not isinstance(value, int) or value < 0):
                report(f"{path}.{word}", "must be a whole number, not negative")
            else:
                bounds.append(value)
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            report(f"{path}.{low}", f"is greater than {high}")


def check_names(
    words: dict[str, Any], properties: Any, is_object: bool, path: str, report: Report
) -> None:
    """``required`` and ``propertyOrdering`` name existing properties, each once.

    Branches beside the properties count, and so does what ``additionalProperties`` allows. Without
    ``properties`` nothing can be checked, unless ``is_object`` says that the given properties are
    all.
    """
    known = set(properties) if isinstance(properties, dict) else None
    if known is None and is_object and not words.keys() & {"anyOf", "ref"}:
        known = set()
    if known is not None:
        known |= {name for branch in _branches(words) for name in branch}
    opened = words.get("additionalProperties") not in (None, False)
    for word in ("required", "propertyOrdering"):
        names = words.get(word)
        if names is None:
            continue
        names = names if isinstance(names, list) else [names]
        seen: set[str] = set()
        for at, name in enumerate(names):
            where = f"{path}.{word}[{at}]"
            if not isinstance(name, str):
                report(where, "must be the name of a property")
            elif name in seen:
                report(where, "appears twice")
            elif known is not None and name not in known and not opened:
                report(where, "property is not defined")
            if isinstance(name, str):
                seen.add(name)


def _branches(words: dict[str, Any]) -> Iterator[Any]:
    for word in ("anyOf", "oneOf", "allOf"):
        branches = words.get(word)
        for branch in branches if isinstance(branches, list) else ():
            properties = branch.get("properties") if isinstance(branch, dict) else None
            if isinstance(properties, dict):
                yield properties


def check_json_schema(schema: Any, path: str, report: Report) -> None:
    """A whole JSON Schema document. Unknown keywords are left to the node."""
    if not isinstance(schema, dict):
        report(path, "a schema must be an object")
        return
    if not check_size(schema, path, report):
        return
    nodes = 0
    done: set[int] = set()
    stack: list[tuple[Any, str, int]] = [(schema, path, 0)]
    while stack:
        part, where, depth = stack.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            report(where, TOO_DEEP if depth > MAX_DEPTH else TOO_MANY)
            return
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            report(where, "a schema must be an object")
            continue
        _check_part(part, where, report)
        if "$ref" in part:
            _check_reference(part, schema, where, report, done)
        stack += [(child, f"{where}.{name}", depth + 1) for name, child in _children(part)]


def _check_part(part: dict[str, Any], path: str, report: Report) -> None:
    kind = part.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if kind is not None and not all(isinstance(one, str) and one in _TYPES for one in kinds):
        report(f"{path}.type", "unknown type")
    if "enum" in part:
        check_enum(part["enum"], (str, int, float, type(None)), f"{path}.enum", report)
    pattern = part.get("pattern")
    if pattern is not None and (not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS):
        report(f"{path}.pattern", f"must be text of up to {MAX_PATTERN_CHARS} characters")
    for word in _MAPS:
        if word in part and not isinstance(part[word], dict):
            report(f"{path}.{word}", "must be an object")
    for word in _LISTS:
        if word in part and not (isinstance(part[word], list) and part[word]):
            report(f"{path}.{word}", "must be a list with at least one schema")
    check_pairs(part, path, report)
    check_names(part, part.get("properties"), False, path, report)


def _children(part: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for word in _MAPS:
        children = part.get(word)
        if isinstance(children, dict):
            yield from ((f"{word}.{shorten(name)}", child) for name, child in children.items())
    for word in _LISTS:
        children = part.get(word)
        if isinstance(children, list):
            yield from ((f"{word}[{at}]", child) for at, child in enumerate(children))
    for word in _SINGLES:
        if word not in part:
            continue
        child = part[word]
        if word == "items" and isinstance(child, list):  # drafts before 2020-12
            yield from ((f"{word}[{at}]", one) for at, one in enumerate(child))
        else:
            yield word, child


def _check_reference(
    part: dict[str, Any], root: dict[str, Any], path: str, report: Report, done: set[int]
) -> None:
    reference = part["$ref"]
    if not isinstance(reference, str) or not reference.startswith("#"):
        report(f"{path}.$ref", "must point into the same schema")
        return
    target = _resolve(root, reference)
    if target is None:
        report(f"{path}.$ref", "leads nowhere")
    elif id(part) not in done and _is_endless(part, root, done):
        report(f"{path}.$ref", "a required property must not be recursive")


def _resolve(root: dict[str, Any], reference: str) -> Any:
    """The target of a JSON pointer (RFC 6901) in a fragment, or None."""
    found: Any = root
    for token in reference[1:].split("/")[1:]:
        key = unquote(token).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and int(key[:6]) < len(found):
            found = found[int(key[:6])]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            return None
    return found if isinstance(found, dict | bool) else None


def _is_endless(part: dict[str, Any], root: dict[str, Any], done: set[int]) -> bool:
    """Whether no finite value can satisfy what ``part`` requires, since it requires itself.

    ``done``: ids of parts that were already examined, so that a document is walked once.
    """
    path: dict[int, Iterator[Any]] = {id(part): _musts(part, root)}
    while path:
        here = next(reversed(path))
        must = next(path[here], None)
        if must is None:
            done.add(here)
            del path[here]
        elif id(must) in path:
            done.update(path)
            return True
        elif id(must) not in done:
            path[id(must)] = _musts(must, root)
    return False


def _musts(part: dict[str, Any], root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas that any value of ``part`` must satisfy, itself or in a property."""
    musts: list[Any] = []
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        musts.append(_resolve(root, reference))
    if isinstance(part.get("allOf"), list):
        musts += part["allOf"]
    for word in ("anyOf", "oneOf"):
        branches = part.get(word)
        if isinstance(branches, list) and len(branches) == 1:
            musts += branches
    properties, required = part.get("properties"), part.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        musts += [properties.get(name) for name in required if isinstance(name, str)]
    return iter([must for must in musts if isinstance(must, dict)])


def is_strict(schema: Any, depth: int = 0) -> bool:
    """Whether OpenAI's strict mode accepts it unchanged: every object closed, every property
    required, an object at the root, up to ten levels."""
    if depth > 10 or not isinstance(schema, dict):
        return False
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if depth == 0 and kinds != ["object"]:
        return False
    if "object" in kinds:
        properties = schema.get("properties")
        required = schema.get("required", [])
        if schema.get("additionalProperties") is not False or not isinstance(properties, dict):
            return False
        if not isinstance(required, list) or set(required) != set(properties):
            return False
    return all(
        is_strict(child, depth + 1)
        for name, child in _children(schema)
        if name != "additionalProperties"
    )
