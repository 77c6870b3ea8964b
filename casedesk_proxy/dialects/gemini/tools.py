"""Function declarations and the function-calling mode: ``tools`` and ``toolConfig``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.schema.checks import check_json_schema
from casedesk_proxy.dialects.schema.gemini import convert_schema
from casedesk_proxy.dialects.schema.ordering import lower_types, put_in_order
from casedesk_proxy.engines.profile import Choice

__all__ = ["MODE", "FunctionDeclaration", "Toolbox", "read_tools"]

_CONFIG = "toolConfig.functionCallingConfig"
#: The path of the mode in a request.
MODE = f"{_CONFIG}.mode"


@dataclass(frozen=True, slots=True)
class FunctionDeclaration:
    """``parameters`` is JSON Schema, an object without properties if none was declared."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The functions that may be called; empty if none may.

    ``choice`` is NAMED only if exactly one is left. ``exact``: calls must follow their schema.
    ``declared`` are all functions, also if none may be called.
    """

    functions: tuple[FunctionDeclaration, ...] = ()
    choice: Choice = Choice.AUTO
    exact: bool = False
    declared: tuple[FunctionDeclaration, ...] = ()


def read_tools(tools: list[dict[str, Any]], config: dict[str, Any], findings: Findings) -> Toolbox:
    functions = _read_functions(tools, findings)
    calling = config.get("functionCallingConfig", {})
    mode = calling.get("mode", "AUTO")
    allowed = calling.get("allowedFunctionNames")
    _check_allowed(mode, allowed, functions, findings)
    declared = tuple(functions.values())
    if mode == "NONE":
        return Toolbox(declared=declared)
    names = functions.keys() if allowed is None else set(allowed)
    kept = tuple(one for one in declared if one.name in names)
    if mode == "ANY":
        if not functions:
            findings.fault(MODE, "mode ANY needs function declarations")
        named = allowed is not None and len(kept) == 1
        return Toolbox(kept, Choice.NAMED if named else Choice.REQUIRED, declared=declared)
    return Toolbox(kept, Choice.AUTO, exact=mode == "VALIDATED", declared=declared)


def _check_allowed(
    mode: str,
    allowed: list[str] | None,
    functions: dict[str, FunctionDeclaration],
    findings: Findings,
) -> None:
    path = f"{_CONFIG}.allowedFunctionNames"
    if allowed is None:
        return
    if mode not in ("ANY", "VALIDATED"):
        findings.fault(path, f"{path} can only be set with mode ANY or VALIDATED")
    for at, name in enumerate(allowed):
        if name not in functions:
            findings.fault(f"{path}[{at}]", f"{path}[{at}]: function {name!r} is not declared")


def _read_functions(
    tools: list[dict[str, Any]], findings: Findings
) -> dict[str, FunctionDeclaration]:
    functions: dict[str, FunctionDeclaration] = {}
    for at, tool in enumerate(tools):
        for which, declaration in enumerate(tool.get("functionDeclarations", ())):
            path = f"tools[{at}].functionDeclarations[{which}]"
            name = declaration.get("name", "")
            if not name:
                findings.fault(f"{path}.name", f"{path}.name is required")
            elif name in functions:
                findings.fault(f"{path}.name", f"{path}.name: {name!r} is declared twice")
            functions[name] = FunctionDeclaration(
                name,
                declaration.get("description", ""),
                _read_parameters(declaration, path, findings),
            )
    return functions


def _read_parameters(declaration: dict[str, Any], path: str, findings: Findings) -> dict[str, Any]:
    message, schema = declaration.get("parameters"), declaration.get("parametersJsonSchema")
    if message is not None and schema is not None:
        findings.fault(path, f"{path} can have parameters or parametersJsonSchema, not both")
    elif schema is not None:
        schema = lower_types(schema)
        check_json_schema(schema, f"{path}.parametersJsonSchema", findings.fault)
        if isinstance(schema, dict) and schema:
            return put_in_order(schema)
    elif message:
        return convert_schema(message, f"{path}.parameters", findings.fault, findings.unknown)
    # OpenAI nodes require an object; TGI fails without it.
    return {"type": "object", "properties": {}}
