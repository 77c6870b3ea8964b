"""Tools and the tool choice of a Messages request."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.tools import ForeignTool, Tool, ToolChoice, read_tools
from casedesk_proxy.dialects.core.findings import Findings
from tests.fixtures.table import table

PLAIN = {"name": "f", "input_schema": {"type": "object"}}


def read(body: dict[str, Any]) -> Any:
    findings = Findings()
    toolset = read_tools(body, findings)
    assert not findings.faults.kept
    return toolset


def faults(body: dict[str, Any]) -> list[str]:
    findings = Findings()
    read_tools(body, findings)
    return [fault.path for fault in findings.faults.kept]


def test_tools() -> None:
    described = {"type": "custom", "description": "Look.", "strict": True, **PLAIN, "name": "g"}
    toolset = read({"tools": [PLAIN, described, {"type": "web_search_20250305", "name": "w"}]})
    assert toolset.tools == (
        Tool("f", None, {"type": "object"}, strict=False),
        Tool("g", "Look.", {"type": "object"}, strict=True),
    )
    assert toolset.foreign == (ForeignTool("tools.2"),)
    assert toolset.choice == ToolChoice()


@table(
    ("choice", "made"),
    [
        ({"type": "any"}, ToolChoice("any")),
        ({"type": "tool", "name": "f"}, ToolChoice("tool", "f")),
        ({"type": "none", "name": "f"}, ToolChoice("none")),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            ToolChoice("auto", one_at_a_time=True),
        ),
    ],
)
def test_choices(choice: dict[str, Any], made: ToolChoice) -> None:
    assert read({"tools": [PLAIN], "tool_choice": choice}).choice == made


@table(
    ("body", "paths"),
    [
        ({"tools": {}}, ["tools"]),
        ({"tools": ["f"]}, ["tools.0"]),
        ({"tools": [{"name": ""}, {"name": "f"}]}, ["tools.0.name", "tools.1.input_schema"]),
        ({"tools": [{"name": "f", "input_schema": "x"}]}, ["tools.0.input_schema"]),
        ({"tools": [PLAIN, PLAIN]}, ["tools.1.name"]),
        ({"tools": [PLAIN], "tool_choice": "auto"}, ["tool_choice.type"]),
        ({"tools": [PLAIN], "tool_choice": {"type": "some"}}, ["tool_choice.type"]),
        ({"tools": [PLAIN], "tool_choice": {"type": "tool"}}, ["tool_choice.name"]),
        ({"tool_choice": {"type": "any"}}, ["tool_choice"]),
    ],
)
def test_faults(body: dict[str, Any], paths: list[str]) -> None:
    assert faults(body) == paths
