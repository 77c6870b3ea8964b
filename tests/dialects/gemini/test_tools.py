"""Function declarations, and what the mode leaves of them."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.tools import MODE, Toolbox, read_tools
from casedesk_proxy.engines.profile import Choice
from tests.fixtures.table import table

TOOLS = [{"functionDeclarations": [{"name": "f"}]}, {"functionDeclarations": [{"name": "g"}]}]
NO_ARGUMENTS = {"type": "object", "properties": {}}


def read(tools: list[dict[str, Any]], **calling: Any) -> tuple[Toolbox, list[str]]:
    findings = Findings()
    config = {"functionCallingConfig": calling} if calling else {}
    toolbox = read_tools(tools, config, findings)
    return toolbox, [fault.path for fault in findings.faults.kept]


@table(
    ("calling", "names", "choice", "exact"),
    [
        ({}, ["f", "g"], Choice.AUTO, False),
        ({"mode": "VALIDATED"}, ["f", "g"], Choice.AUTO, True),
        ({"mode": "ANY"}, ["f", "g"], Choice.REQUIRED, False),
        ({"mode": "ANY", "allowedFunctionNames": ["g"]}, ["g"], Choice.NAMED, False),
        ({"mode": "ANY", "allowedFunctionNames": ["g", "f"]}, ["f", "g"], Choice.REQUIRED, False),
        ({"mode": "NONE"}, [], Choice.AUTO, False),
    ],
)
def test_modes(calling: dict[str, Any], names: list[str], choice: Choice, exact: bool) -> None:
    toolbox, faults = read(TOOLS, **calling)
    assert faults == []
    assert [one.name for one in toolbox.functions] == names
    assert [one.name for one in toolbox.declared] == ["f", "g"]
    assert (toolbox.choice, toolbox.exact) == (choice, exact)


def test_parameters_of_both_forms() -> None:
    message = {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}
    schema = {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}
    declared = [
        {"name": "a", "description": "Look."},
        {"name": "b", "parameters": message},
        {"name": "c", "parametersJsonSchema": schema},
    ]
    toolbox, faults = read([{"functionDeclarations": declared}])
    assert faults == []
    made = {"type": "object", "properties": {"x": {"type": "string"}}}
    assert [one.parameters for one in toolbox.functions] == [NO_ARGUMENTS, made, made]
    assert [one.description for one in toolbox.functions] == ["Look.", "", ""]


HERE = "tools[0].functionDeclarations"
ALLOWED = "toolConfig.functionCallingConfig.allowedFunctionNames"


@table(
    ("declared", "calling", "paths"),
    [
        ([{}], {}, [f"{HERE}[0].name"]),
        ([{"name": "f"}, {"name": "f"}], {}, [f"{HERE}[1].name"]),
        ([{"name": "f", "parameters": {}, "parametersJsonSchema": {}}], {}, [f"{HERE}[0]"]),
        ([], {"mode": "ANY"}, [MODE]),
        ([{"name": "f"}], {"allowedFunctionNames": ["f"]}, [ALLOWED]),
        ([{"name": "f"}], {"mode": "ANY", "allowedFunctionNames": ["f", "x"]}, [f"{ALLOWED}[1]"]),
    ],
)
def test_faults(declared: list[Any], calling: dict[str, Any], paths: list[str]) -> None:
    assert read([{"functionDeclarations": declared}], **calling)[1] == paths
