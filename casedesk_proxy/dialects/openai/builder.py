"""The pieces of a chat request, in the form that every node accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.schema.checks import check_json_schema, is_strict
from casedesk_proxy.dialects.schema.formats import fit_formats
from casedesk_proxy.dialects.schema.ordering import fit_schema
from casedesk_proxy.engines.profile import Profile
from casedesk_proxy.jsonio import dumps

__all__ = [
    "NO_PARAMETERS",
    "STREAMS",
    "declared_names",
    "function_call",
    "function_tool",
    "image_part",
    "named_choice",
    "response_format",
]

#: llama-server (b11549) notices only while it streams that a client has left, so every chat
#: streams.
STREAMS: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
#: OpenAI nodes require an object; TGI fails without it.
NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}


def function_call(ident: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": dumps(arguments).decode()}
    return {"id": ident, "type": "function", "function": function}


def function_tool(
    name: str, description: str | None, parameters: dict[str, Any], *, strict: bool
) -> dict[str, Any]:
    """``description``: None to leave it out."""
    function: dict[str, Any] = {"name": name}
    if description is not None:
        function["description"] = description
    function["parameters"] = parameters
    if strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def declared_names(chat: Mapping[str, Any]) -> tuple[str, ...]:
    """The functions of a request that was built here."""
    return tuple(tool["function"]["name"] for tool in chat.get("tools", ()))


def may_be_strict(schema: dict[str, Any], profile: Profile) -> bool:
    """Whether ``strict`` may be sent with a client's schema: OpenAI refuses it for one that does
    not follow its rules; others ignore it."""
    if not profile.strict_schemas:
        return True
    faults: list[str] = []
    check_json_schema(schema, "", lambda path, message: faults.append(path))
    return not faults and is_strict(schema)


def named_choice(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def image_part(mime: str, data: str, detail: str | None = None) -> dict[str, Any]:
    url = {"url": f"data:{mime};base64,{data}"}
    return {"type": "image_url", "image_url": url | {"detail": detail} if detail else url}


def response_format(
    schema: dict[str, Any], path: str, profile: Profile, findings: Findings
) -> dict[str, Any]:
    """The fields that make an answer follow a schema; ``path``: its place in the client's
    request."""
    if profile.formats is not None:
        schema = fit_formats(schema, profile.formats, path, findings)
    schema = fit_schema(schema, profile)
    named: dict[str, Any] = {"name": "response", "schema": schema}
    if profile.strict_schemas and is_strict(schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}
