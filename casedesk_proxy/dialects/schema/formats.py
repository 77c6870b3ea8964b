"""Removes formats of strings from a schema that an engine's grammar cannot follow."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.findings import Findings

__all__ = ["NAMED", "VALUES", "fit_formats"]

#: Keywords of a schema that contain the client's own values, and those that contain schemas by
#: name.
VALUES = frozenset({"default", "enum", "const", "example", "examples"})
NAMED = frozenset({"properties", "$defs", "definitions", "patternProperties"})


def fit_formats(
    schema: Any, known: frozenset[str], path: str, findings: Findings, *, named: bool = False
) -> Any:
    """The schema without the formats for which the node's grammar fails. ``named``: the keys are
    the client's names of schemas, even if they look like keywords."""
    if isinstance(schema, list):
        return [fit_formats(one, known, path, findings) for one in schema]
    if not isinstance(schema, dict):
        return schema
    fitted = {}
    for word, value in schema.items():
        if not named and word in VALUES:
            fitted[word] = value
        elif not named and word == "format" and not (isinstance(value, str) and value in known):
            findings.drop(f"{path} format {value!r}")
        else:
            inner = not named and word in NAMED
            fitted[word] = fit_formats(value, known, path, findings, named=inner)
    return fitted
