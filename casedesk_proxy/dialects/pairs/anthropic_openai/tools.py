"""Anthropic's tools and tool choice, as fields of a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from casedesk_proxy.dialects.anthropic.request import MessagesRequest
from casedesk_proxy.dialects.anthropic.tools import Tool
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.function_names import ToolNameMap
from casedesk_proxy.dialects.openai.builder import (
    NO_PARAMETERS,
    function_tool,
    may_be_strict,
    named_choice,
)
from casedesk_proxy.dialects.schema.ordering import fit_schema
from casedesk_proxy.engines.profile import Choice, Profile

__all__ = ["ChatTools", "chat_tools"]

_AT_ANTHROPIC = "tools of this type are part of Anthropic's service; declare a custom tool instead"


@dataclass(frozen=True, slots=True)
class ChatTools:
    """``fields`` of the chat request; ``choice`` is their tool choice, None without tools."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    choice: Choice | None = None


def chat_tools(
    request: MessagesRequest, profile: Profile, names: ToolNameMap, findings: Findings
) -> ChatTools:
    """If an engine does not support a named choice, it gets only that tool and must use one."""
    if request.mcp_servers:
        findings.refuse(
            "mcp_servers", "the node cannot connect to MCP servers; run the tools in the client"
        )
    for foreign in request.toolset.foreign:
        findings.refuse(foreign.path, _AT_ANTHROPIC)
    tools, choice = request.toolset.tools, request.toolset.choice
    if choice is None or not tools or choice.kind == "none":
        # If no tool may be called, the model needs no tools; its template still shows old calls.
        return ChatTools()
    fields: dict[str, Any] = {}
    made = Choice.AUTO
    if choice.kind == "tool" and Choice.NAMED in profile.choices:
        made = Choice.NAMED
        fields["tool_choice"] = named_choice(names.rename(choice.name))
    elif choice.kind != "auto":
        made = Choice.REQUIRED
        fields["tool_choice"] = "required"
        if choice.kind == "tool":
            tools = tuple(tool for tool in tools if tool.name == choice.name)
        if made not in profile.choices:
            findings.refuse("tool_choice", "the node does not support forcing a tool call")
    if choice.one_at_a_time:
        if profile.parallel_switch:
            fields["parallel_tool_calls"] = False
        else:
            findings.drop("tool_choice.disable_parallel_tool_use")
    fields["tools"] = [_function(tool, profile, names) for tool in tools]
    return ChatTools(fields, made)


def _function(tool: Tool, profile: Profile, names: ToolNameMap) -> dict[str, Any]:
    parameters = fit_schema(tool.schema, profile) if tool.schema else NO_PARAMETERS
    strict = tool.strict and may_be_strict(tool.schema, profile)
    return function_tool(names.rename(tool.name), tool.description, parameters, strict=strict)
