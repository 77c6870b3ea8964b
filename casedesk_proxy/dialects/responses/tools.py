"""The tools of a Responses request, and the tool choice.

A node behind chat can call only functions, on the first level or inside a namespace. A freeform
tool (``custom``) whose input may be any text becomes a function with this text as its only
argument. Other kinds run at OpenAI (web search, MCP by the server) or need its own sampler
(freeform tools with a grammar). Codex sends some of them with every request, so they are left out
with a warning unless the deployment refuses them; so is a freeform tool without a name, or with
that of another tool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings, shorten
from casedesk_proxy.dialects.core.freeform import FREEFORM_PARAMETERS, is_freeform
from casedesk_proxy.dialects.responses.names import QualifiedName

__all__ = ["DeclaredFunction", "DeclaredTools", "ToolDuty", "read_tools"]


_DUTIES = ("none", "auto", "required")
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class DeclaredFunction:
    """``path`` is its place in the body. ``freeform``: the client knows it as a tool that takes any
    text."""

    called: QualifiedName
    parameters: dict[str, Any]
    path: str
    description: str | None = None
    strict: bool = False
    freeform: bool = False


@dataclass(frozen=True, slots=True)
class ToolDuty:
    """``mode`` is none, auto or required. ``only``: the functions that may be called, None for all;
    ``named``: the client chose that one function."""

    mode: str = "auto"
    only: tuple[QualifiedName, ...] | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredTools:
    """``parallel`` is None if the request leaves it to the model."""

    functions: tuple[DeclaredFunction, ...] = ()
    duty: ToolDuty = ToolDuty()
    parallel: bool | None = None


def read_tools(
    body: Mapping[str, Any], findings: Findings, *, refuse_tools: bool = False
) -> DeclaredTools:
    """``tools``, ``tool_choice`` and ``parallel_tool_calls``."""
    given = body.get("tools", [])
    if not isinstance(given, list):
        findings.fault("tools", "a list is required")
        given = []
    functions: list[DeclaredFunction] = []
    for at, tool in enumerate(given):
        functions += _read_tool(tool, f"tools[{at}]", "", findings, refuse_tools=refuse_tools)
    if not refuse_tools:
        functions = _without_twins(functions, findings)
    parallel = body.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        findings.fault("parallel_tool_calls", "true or false is required")
        parallel = None
    declared = frozenset(function.called for function in functions)
    duty = _read_choice(body.get("tool_choice", "auto"), declared, findings)
    return DeclaredTools(tuple(functions), duty, parallel)


def _without_twins(functions: list[DeclaredFunction], findings: Findings) -> list[DeclaredFunction]:
    """All but the freeform tools whose name another tool has."""
    taken = {function.called for function in functions if not function.freeform}
    kept: list[DeclaredFunction] = []
    for function in functions:
        if function.freeform and function.called in taken:
            findings.drop(f"{function.path}:custom")
            continue
        taken.add(function.called)
        kept.append(function)
    return kept


def _read_tool(
    tool: Any, path: str, namespace: str, findings: Findings, *, refuse_tools: bool
) -> Iterator[DeclaredFunction]:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if not isinstance(tool, dict) or not isinstance(kind, str):
        findings.fault(f"{path}.type", "a string is required")
    elif kind == "function" or is_freeform(tool):
        yield from _read_function(tool, path, namespace, findings)
    elif kind == "namespace" and not namespace:
        yield from _read_namespace(tool, path, findings, refuse_tools=refuse_tools)
    elif refuse_tools:
        findings.refuse(path, f"the node does not support tools of type {shorten(kind)!r}")
    else:
        findings.drop(f"{path}:{shorten(kind)}")


def _read_namespace(
    tool: Mapping[str, Any], path: str, findings: Findings, *, refuse_tools: bool
) -> Iterator[DeclaredFunction]:
    name, inner = tool.get("name"), tool.get("tools")
    if not isinstance(name, str) or not name:
        findings.fault(f"{path}.name", "a non-empty string is required")
    elif not isinstance(inner, list):
        findings.fault(f"{path}.tools", "a list is required")
    else:
        for at, one in enumerate(inner):
            place = f"{path}.tools[{at}]"
            yield from _read_tool(one, place, name, findings, refuse_tools=refuse_tools)


def _read_function(
    tool: Mapping[str, Any], path: str, namespace: str, findings: Findings
) -> Iterator[DeclaredFunction]:
    freeform = tool["type"] == "custom"
    name, schema = tool.get("name"), FREEFORM_PARAMETERS if freeform else tool.get("parameters")
    if not isinstance(name, str) or not name:
        findings.fault(f"{path}.name", "a non-empty string is required")
    elif not isinstance(schema, dict | None):
        findings.fault(f"{path}.parameters", "an object is required")
    else:
        described = tool.get("description")
        yield DeclaredFunction(
            QualifiedName(name, namespace),
            schema or _NO_ARGUMENTS,
            path,
            described if isinstance(described, str) else None,
            tool.get("strict") is True and not freeform,
            freeform,
        )


def _read_choice(choice: Any, declared: frozenset[QualifiedName], findings: Findings) -> ToolDuty:
    if isinstance(choice, str) and choice in _DUTIES:
        if choice == "required" and not declared:
            findings.fault("tool_choice", "can only require a call if functions are declared")
        return ToolDuty(choice)
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "function" or (kind == "custom" and _is_declared(choice, declared)):
        found = _find(choice, "tool_choice", declared, findings)
        return ToolDuty("required", tuple(found), named=True)
    if kind == "allowed_tools":
        return _read_allowed(choice, declared, findings)
    if isinstance(kind, str):
        findings.refuse("tool_choice", f"the node does not support tools of type {shorten(kind)!r}")
    else:
        findings.fault("tool_choice", f"{', '.join(_DUTIES)} or an object is required")
    return ToolDuty()


def _read_allowed(
    choice: Mapping[str, Any], declared: frozenset[QualifiedName], findings: Findings
) -> ToolDuty:
    mode, allowed = choice.get("mode", "auto"), choice.get("tools")
    if mode not in ("auto", "required"):
        findings.fault("tool_choice.mode", "auto or required is required")
    elif not isinstance(allowed, list):
        findings.fault("tool_choice.tools", "a list is required")
    else:
        only: list[QualifiedName] = []
        for at, one in enumerate(allowed):
            path = f"tool_choice.tools[{at}]"
            kind = one.get("type") if isinstance(one, dict) else None
            if kind == "function" or (kind == "custom" and _is_declared(one, declared)):
                only += _find(one, path, declared, findings)
            elif kind == "namespace":
                only += [name for name in declared if name.namespace == one.get("name")]
            else:
                findings.drop(path)
        return ToolDuty(mode if only else "none", tuple(only))
    return ToolDuty()


def _is_declared(wanted: Mapping[str, Any], declared: frozenset[QualifiedName]) -> bool:
    """A tool with a grammar is left out, so it is not declared."""
    return any(one.name == wanted.get("name") for one in declared)


def _find(
    wanted: Mapping[str, Any], path: str, declared: frozenset[QualifiedName], findings: Findings
) -> Iterator[QualifiedName]:
    """The declared function that is named. The namespace may be missing if only one function has
    the name."""
    name, namespace = wanted.get("name"), wanted.get("namespace")
    found = [one for one in declared if one.name == name and namespace in (None, "", one.namespace)]
    exact = [one for one in found if one.namespace == (namespace or "")]
    if len(found) == 1 or exact:
        yield (exact or found)[0]
    else:
        findings.fault(f"{path}.name", "no function with this name is declared")
