"""Anthropic's tools, and how they may be chosen, as fields of a chat request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.schema.checks import check_json_schema, is_strict
from casedesk_proxy.dialects.schema.ordering import fit_schema
from casedesk_proxy.engines.profile import Choice, Profile

__all__ = ["Names", "Tools", "read_tools"]

_PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_KINDS = ("auto", "any", "tool", "none")
_AT_ANTHROPIC = "tools of this type come with Anthropic's service; declare it as a custom tool"


class Names:
    """Function names as the node may have them. ``given`` leads back from those that changed.

    Anthropic's are up to 128 characters long, OpenAI's 64; a name always becomes the same other.
    """

    def __init__(self, profile: Profile) -> None:
        self.given: dict[str, str] = {}
        self._strict = profile.strict_names

    def rename(self, name: str) -> str:
        if not self._strict or _PORTABLE.fullmatch(name):
            return name
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
        portable = f"{re.sub('[^A-Za-z0-9_-]', '_', name)[:55]}_{digest}"
        self.given[portable] = name
        return portable


@dataclass(frozen=True, slots=True)
class Tools:
    """``fields`` of the chat request; ``choice`` is what they ask for, None without tools."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    choice: Choice | None = None


def read_tools(
    body: Mapping[str, Any], profile: Profile, names: Names, findings: Findings
) -> Tools:
    """``tools`` and ``tool_choice``. What is wrong with them goes to ``findings``."""
    if body.get("mcp_servers"):
        findings.refuse("mcp_servers", "the node connects to no MCP servers")
    given = body.get("tools", [])
    if not isinstance(given, list):
        findings.fault("tools", "Input should be a valid list")
        return Tools()
    tools: dict[str, dict[str, Any]] = {}
    for at, tool in enumerate(given):
        if isinstance(tool, dict):
            _read_tool(tool, f"tools.{at}", profile, tools, findings)
        else:
            findings.fault(f"tools.{at}", "Input should be an object")
    choice = body.get("tool_choice", {"type": "auto"})
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or kind not in _KINDS:
        findings.fault("tool_choice.type", f"Input should be one of {', '.join(_KINDS)}")
        return Tools()
    name = choice.get("name")
    if kind == "tool" and not (isinstance(name, str) and name in tools):
        findings.fault("tool_choice.name", "no tool of this name is declared")
    elif kind == "any" and not tools:
        findings.fault("tool_choice", "may only be given together with tools")
    elif tools and kind != "none":
        for function in tools.values():
            function["name"] = names.rename(function["name"])
        return _choose(choice, tools, profile, findings)
    # Told to use none, a model needs no tools; old calls still show in its template.
    return Tools()


def _read_tool(
    tool: dict[str, Any],
    path: str,
    profile: Profile,
    tools: dict[str, dict[str, Any]],
    findings: Findings,
) -> None:
    kind, name, schema = tool.get("type"), tool.get("name"), tool.get("input_schema")
    if kind is not None and kind != "custom":
        findings.refuse(path, _AT_ANTHROPIC)
    elif not isinstance(name, str) or not name:
        findings.fault(f"{path}.name", "Input should be a non-empty string")
    elif not isinstance(schema, dict):
        wrong = "Field required" if schema is None else "Input should be an object"
        findings.fault(f"{path}.input_schema", wrong)
    elif name in tools:
        findings.fault(f"{path}.name", "Tool names must be unique")
    else:
        function: dict[str, Any] = {"name": name}
        if isinstance(described := tool.get("description"), str):
            function["description"] = described
        function["parameters"] = fit_schema(schema, profile) if schema else _NO_ARGUMENTS
        if tool.get("strict") is True and _may_be_strict(schema, profile):
            function["strict"] = True
        tools[name] = function


def _may_be_strict(schema: dict[str, Any], profile: Profile) -> bool:
    """OpenAI refuses ``strict`` for a schema that is not; others ignore it."""
    if not profile.strict_schemas:
        return True
    faults: list[str] = []
    check_json_schema(schema, "", lambda path, told: faults.append(path))
    return not faults and is_strict(schema)


def _choose(
    choice: dict[str, Any],
    tools: dict[str, dict[str, Any]],
    profile: Profile,
    findings: Findings,
) -> Tools:
    """Where an engine knows no named choice: only that tool, and the duty to use one."""
    kind, kept, made = choice["type"], list(tools), Choice.AUTO
    fields: dict[str, Any] = {}
    if kind == "tool" and Choice.NAMED in profile.choices:
        made = Choice.NAMED
        function = {"name": tools[choice["name"]]["name"]}
        fields["tool_choice"] = {"type": "function", "function": function}
    elif kind != "auto":
        made = Choice.REQUIRED
        fields["tool_choice"] = "required"
        if kind == "tool":
            kept = [choice["name"]]
        if made not in profile.choices:
            findings.refuse("tool_choice", "the node cannot be made to use a tool")
    if choice.get("disable_parallel_tool_use") is True:
        if profile.parallel_switch:
            fields["parallel_tool_calls"] = False
        else:
            findings.drop("tool_choice.disable_parallel_tool_use")
    fields["tools"] = [{"type": "function", "function": tools[name]} for name in kept]
    return Tools(fields, made)
