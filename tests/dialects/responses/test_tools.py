"""The tools of a Responses request, and which of them may be chosen."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.responses.names import QualifiedName
from casedesk_proxy.dialects.responses.tools import DeclaredTools, ToolDuty, read_tools
from tests.fixtures.table import table

F = {"type": "function", "name": "f"}
G = {"type": "function", "name": "g"}
SPACE = {"type": "namespace", "name": "n", "tools": [F]}


def read(findings: Findings | None = None, **body: Any) -> DeclaredTools:
    """If ``findings`` are not given, there must be none."""
    found = findings or Findings()
    declared = read_tools(body, found)
    assert findings is not None or (not found.faults and not found.features and not found.dropped)
    return declared


def faults(**body: Any) -> list[str]:
    findings = Findings()
    read(findings, **body)
    return [one.path for one in findings.faults.violations()]


def allowed(*tools: Any, **more: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "tools": list(tools), **more}


def test_functions_and_those_of_a_namespace() -> None:
    described = {**F, "description": "d", "parameters": {"type": "object"}, "strict": True}
    inside, plain = read(tools=[SPACE, described], parallel_tool_calls=False).functions
    assert inside.called == QualifiedName("f", "n")
    assert inside.path == "tools[0].tools[0]"
    assert inside.parameters == {"type": "object", "properties": {}}
    assert (inside.description, inside.strict) == (None, False)
    assert plain.called == QualifiedName("f")
    assert (plain.description, plain.strict) == ("d", True)


@table("parallel", [None, True, False])
def test_parallel_calls(parallel: bool | None) -> None:
    assert read(parallel_tool_calls=parallel).parallel is parallel


@table(
    ("body", "path"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [7]}, "tools[0].type"),
        ({"tools": [{"type": 7}]}, "tools[0].type"),
        ({"tools": [{**F, "name": ""}]}, "tools[0].name"),
        ({"tools": [{**F, "parameters": []}]}, "tools[0].parameters"),
        ({"tools": [{**SPACE, "name": 7}]}, "tools[0].name"),
        ({"tools": [{**SPACE, "tools": {}}]}, "tools[0].tools"),
        ({"tools": [{**SPACE, "tools": [{}]}]}, "tools[0].tools[0].type"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": 7}}, "tool_choice"),
        ({"tools": [F], "tool_choice": G}, "tool_choice.name"),
        ({"tools": [F], "tool_choice": allowed(F, mode="none")}, "tool_choice.mode"),
        ({"tools": [F], "tool_choice": allowed() | {"tools": 7}}, "tool_choice.tools"),
        ({"tools": [F], "tool_choice": allowed(F, G)}, "tool_choice.tools[1].name"),
    ],
)
def test_wrong_ones(body: dict[str, Any], path: str) -> None:
    assert faults(**body) == [path]


def test_what_no_node_has_is_dropped_in_a_namespace_too() -> None:
    findings = Findings()
    nested = {**SPACE, "tools": [SPACE, {"type": "web_search"}]}
    assert read(findings, tools=[nested]).functions == ()
    assert findings.dropped == ("tools[0].tools[0]:namespace", "tools[0].tools[1]:web_search")


@table(
    ("choice", "duty"),
    [
        ("auto", ToolDuty()),
        ("none", ToolDuty("none")),
        ("required", ToolDuty("required")),
        (G, ToolDuty("required", (QualifiedName("g"),), named=True)),
        (F, ToolDuty("required", (QualifiedName("f"),), named=True)),
        (
            {**F, "namespace": "n"},
            ToolDuty("required", (QualifiedName("f", "n"),), named=True),
        ),
        (allowed(G), ToolDuty("auto", (QualifiedName("g"),))),
        (allowed(G, mode="required"), ToolDuty("required", (QualifiedName("g"),))),
        (
            allowed({"type": "namespace", "name": "n"}, mode="required"),
            ToolDuty("required", (QualifiedName("f", "n"),)),
        ),
        (allowed(mode="required"), ToolDuty("none", ())),
    ],
)
def test_choices(choice: Any, duty: ToolDuty) -> None:
    assert read(tools=[SPACE, F, G], tool_choice=choice).duty == duty


def test_a_name_alone_leads_into_the_only_namespace_that_has_it() -> None:
    duty = read(tools=[SPACE], tool_choice=F).duty
    assert duty.only == (QualifiedName("f", "n"),)
    other = {**SPACE, "name": "m"}
    assert faults(tools=[SPACE, other], tool_choice=F) == ["tool_choice.name"]


def test_allowed_tools_that_are_no_functions_are_dropped() -> None:
    findings = Findings()
    choice = allowed({"type": "web_search"}, F, 7)
    assert read(findings, tools=[F], tool_choice=choice).duty.only == (QualifiedName("f"),)
    assert findings.dropped == ("tool_choice.tools[0]", "tool_choice.tools[2]")


def test_a_choice_that_only_openai_can_make_is_refused() -> None:
    findings = Findings()
    read(findings, tool_choice={"type": "web_search"})
    assert [one.path for one in findings.features.violations()] == ["tool_choice"]
