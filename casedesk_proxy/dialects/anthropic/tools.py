"""Reads Anthropic's tools and the tool choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings

__all__ = ["ForeignTool", "Tool", "ToolChoice", "ToolSet", "read_tools"]

_KINDS = ("auto", "any", "tool", "none")


@dataclass(frozen=True, slots=True)
class Tool:
    """``description`` is None if there is none, ``schema`` is {} for a tool without arguments."""

    name: str
    description: str | None
    schema: dict[str, Any]
    strict: bool


@dataclass(frozen=True, slots=True)
class ForeignTool:
    """A tool that is part of Anthropic's service."""

    path: str


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """``kind`` is auto, any, tool or none; ``name`` that of the tool. ``one_at_a_time``: no
    parallel calls."""

    kind: str = "auto"
    name: str = ""
    one_at_a_time: bool = False


@dataclass(frozen=True, slots=True)
class ToolSet:
    """``choice`` is None if it could not be read."""

    tools: tuple[Tool, ...] = ()
    foreign: tuple[ForeignTool, ...] = ()
    choice: ToolChoice | None = None


def read_tools(body: Mapping[str, Any], findings: Findings) -> ToolSet:
    """``tools`` and ``tool_choice``."""
    given = body.get("tools", [])
    if not isinstance(given, list):
        findings.fault("tools", "Input should be a valid list")
        return ToolSet()
    tools: dict[str, Tool] = {}
    foreign: list[ForeignTool] = []
    for at, tool in enumerate(given):
        path = f"tools.{at}"
        if not isinstance(tool, dict):
            findings.fault(path, "Input should be an object")
        elif tool.get("type") not in (None, "custom"):
            foreign.append(ForeignTool(path))
        else:
            _read_tool(tool, path, tools, findings)
    return ToolSet(tuple(tools.values()), tuple(foreign), _read_choice(body, tools, findings))


def _read_tool(tool: dict[str, Any], path: str, tools: dict[str, Tool], findings: Findings) -> None:
    name, schema, described = tool.get("name"), tool.get("input_schema"), tool.get("description")
    if not isinstance(name, str) or not name:
        findings.fault(f"{path}.name", "Input should be a non-empty string")
    elif not isinstance(schema, dict):
        wrong = "Field required" if schema is None else "Input should be an object"
        findings.fault(f"{path}.input_schema", wrong)
    elif name in tools:
        findings.fault(f"{path}.name", "Tool names must be unique")
    else:
        description = described if isinstance(described, str) else None
        tools[name] = Tool(name, description, schema, tool.get("strict") is True)


def _read_choice(
    body: Mapping[str, Any], tools: Mapping[str, Tool], findings: Findings
) -> ToolChoice | None:
    choice = body.get("tool_choice", {"type": "auto"})
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or kind not in _KINDS:
        findings.fault("tool_choice.type", f"Input should be one of {', '.join(_KINDS)}")
        return None
    name = choice.get("name")
    if kind == "tool" and not (isinstance(name, str) and name in tools):
        findings.fault("tool_choice.name", "no tool with this name is declared")
        return None
    if kind == "any" and not tools:
        findings.fault("tool_choice", "is only allowed together with tools")
        return None
    alone = choice.get("disable_parallel_tool_use") is True
    return ToolChoice(kind, str(name) if kind == "tool" else "", alone)
