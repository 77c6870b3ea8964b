"""Names in namespaces, made flat and restored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.responses.names import (
    FlatNames,
    QualifiedName,
    are_flattenable,
    has_namespaces,
)
from casedesk_proxy.errors import BadRequest
from tests.fixtures.table import table

NAMES = st.builds(QualifiedName, st.text(min_size=1, max_size=80), st.text(max_size=80))


@table(
    ("wanted", "flat"),
    [
        (QualifiedName("f"), "f"),
        (QualifiedName("f", "mcp__a"), "mcp__a__f"),
        (QualifiedName("f", "mcp__a__"), "mcp__a__f"),
        (QualifiedName("f.g"), "f.g"),
    ],
)
def test_flat_names_lead_back(wanted: QualifiedName, flat: str) -> None:
    names = FlatNames(strict=False)
    assert names.flatten(wanted) == flat
    assert names.flatten(wanted) == flat, "it may come again"
    assert names.origin(flat) == wanted
    assert names.origin("never given") == QualifiedName("never given")


def test_two_functions_cannot_have_one_name() -> None:
    names = FlatNames(strict=True)
    names.flatten(QualifiedName("f", "a"))
    with pytest.raises(ValueError, match="a__f"):
        names.flatten(QualifiedName("a__f"))


def test_a_name_that_is_taken_is_a_fault_of_the_request() -> None:
    names, findings = FlatNames(strict=True), Findings()
    assert names.give(QualifiedName("f", "a"), "tools[0]", findings) == "a__f"
    findings.raise_faults()
    assert names.give(QualifiedName("a__f"), "tools[1]", findings) == "a__f"
    with pytest.raises(BadRequest, match=r"tools\[1\]\.name: becomes a__f without its namespace"):
        findings.raise_faults()


@given(NAMES)
def test_names_for_a_strict_node_are_within_its_rules(wanted: QualifiedName) -> None:
    flat = FlatNames(strict=True).flatten(wanted)
    assert 1 <= len(flat) <= 64
    assert flat.isascii()
    assert flat.replace("_", "a").replace("-", "a").isalnum()
    assert flat == FlatNames(strict=True).flatten(wanted)


@table(
    ("tool", "flattenable"),
    [
        ({"type": "namespace", "name": "a", "tools": []}, True),
        ({"type": "namespace", "name": "a", "tools": [{"type": "function", "name": "f"}]}, True),
        ({"type": "namespace", "name": "a", "tools": [{"type": "function"}]}, False),
        ({"type": "namespace", "name": "a", "tools": [{"type": "custom", "name": "f"}]}, False),
        ({"type": "namespace", "name": "a", "tools": [7]}, False),
        ({"type": "namespace", "name": "a"}, False),
        ({"type": "namespace", "name": "", "tools": []}, False),
        ({"type": "namespace", "tools": []}, False),
        ({"type": "function"}, True),
        (7, True),
    ],
)
def test_what_can_be_taken_out_of_its_namespace(tool: Any, flattenable: bool) -> None:
    assert are_flattenable({"tools": [tool]}) is flattenable
    assert are_flattenable({"tools": "x"})


@table(
    ("body", "has"),
    [
        ({}, False),
        ({"tools": "x", "input": "x"}, False),
        ({"tools": [7, {"type": "function"}], "input": [7, {"type": "function_call"}]}, False),
        ({"tools": [{"type": "namespace"}]}, True),
        ({"input": [{"type": "function_call", "namespace": "a"}]}, True),
        ({"input": [{"type": "message", "namespace": "a"}]}, False),
    ],
)
def test_has_namespaces(body: dict[str, Any], has: bool) -> None:
    assert has_namespaces(body) is has
