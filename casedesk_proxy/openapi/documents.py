"""The OpenAPI 3.1 documents: one for each surface, and the admin listener's.

``openapi-NAME.json`` contains every operation of a base URL and every field that is mapped, ignored
or refused there. The documents are made from the tables at each request; no file is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from casedesk_proxy.dialects.core.known_fields import Messages
from casedesk_proxy.openapi.admin_operations import ADMIN_MESSAGES, ADMIN_OPERATIONS, KEYS
from casedesk_proxy.openapi.console_operations import (
    CONSOLE_MESSAGES,
    CONSOLE_OPERATIONS,
    repeat_in_console,
)
from casedesk_proxy.openapi.examples import EXAMPLES
from casedesk_proxy.openapi.field_tables import FIELDS
from casedesk_proxy.openapi.file_operations import FILE_MESSAGES
from casedesk_proxy.openapi.names import ADMIN, TITLES
from casedesk_proxy.openapi.operations import JSON, Operation, Parameter
from casedesk_proxy.openapi.schemas import make_schemas
from casedesk_proxy.openapi.surface_operations import list_operations
from casedesk_proxy.surfaces.unserved_paths import APIS, GEMINI_APIS, Api
from casedesk_proxy.terms import Dialect

__all__ = ["list_unserved", "make_document"]

_FATES = (
    "`x-fate` says what happens to a field of a request: **mapped** fields reach the node in"
    " its own protocol, **ignored** ones have no meaning for a node, those **left out** are"
    " named in the reply's header `x-casedesk-dropped`, **refused** ones are answered with 400,"
    " and fields that are **passed on** reach the node unchanged. This applies if the node"
    " speaks another protocol than its client; a node that speaks the same one gets the body"
    " unchanged. A field that names a file uploaded here, or an address that the deployment"
    " fetches, is mapped on every node."
)
_ADMIN_WORDS = (
    "State, metrics and keys. This listener is for the host's own programs; whatever concerns"
    " keys needs a key with `admin: true`. The console's JSON is on the public listener, too."
)
_PREFIX = {"openai": "/v1"}
#: How each surface's clients send a key; all surfaces accept all of these forms.
_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
    #: The cookie of a user who is signed in to the console; under TLS its name begins with __Host-.
    "session": {"type": "apiKey", "in": "cookie", "name": "casedesk-session"},
}
_FIRST = {"gemini": "x-goog-api-key", "anthropic": "x-api-key"}


def make_document(name: str, version: str) -> dict[str, Any]:
    """``version``: the program's. Raises KeyError if the name is not in NAMES."""
    title = TITLES[name]
    operations, messages = _contents(name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": _ADMIN_WORDS if name == ADMIN else _FATES,
        },
        "servers": _servers(name),
        "security": [{}, *({scheme: []} for scheme in _in_order(name))],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations)],
        "paths": _paths(operations),
        "components": {
            "schemas": {**make_schemas(messages), "Error": _error(name)},
            "securitySchemes": {scheme: _SCHEMES[scheme] for scheme in _in_order(name)},
        },
        **({} if name == ADMIN else {"x-unserved": _unserved(name)}),
    }


def _contents(name: str) -> tuple[Sequence[Operation], Messages]:
    if name == ADMIN:
        keys = [repeat_in_console(one) for one in ADMIN_OPERATIONS if one.tag == KEYS]
        operations = [*ADMIN_OPERATIONS, *CONSOLE_OPERATIONS, *keys]
        return operations, {**ADMIN_MESSAGES, **CONSOLE_MESSAGES}
    surface = Dialect(name)
    messages = FIELDS[surface]
    if surface is Dialect.OPENAI:
        messages = {**messages, **FIELDS[Dialect.RESPONSES]}
    return list_operations(surface), {**messages, **FILE_MESSAGES.get(surface, {})}


def _servers(name: str) -> list[dict[str, Any]]:
    bare = {"url": "/", "description": "the default deployment"}
    if name == ADMIN:
        return [{"url": "/"}]
    named = {
        "url": f"/proxy/{{deployment}}/{name}",
        "description": "a deployment by its name",
        "variables": {"deployment": {"default": "default"}},
    }
    return [bare, named]


def _in_order(name: str) -> list[str]:
    first = _FIRST.get(name, "bearer")
    return [first, *(scheme for scheme in _SCHEMES if scheme != first)]


def _paths(operations: Sequence[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return paths


def _operation(one: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": one.action,
        "summary": one.summary,
        "tags": [one.tag],
        "responses": {
            str(one.status): _reply(one),
            "default": {
                "description": "An error, in the envelope of the API.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if one.parameters:
        made["parameters"] = [_parameter(parameter) for parameter in one.parameters]
    if one.body is not None:
        made["requestBody"] = _body(one)
    return made


def _reply(one: Operation) -> dict[str, Any]:
    if one.status == 101:
        return {"description": "The connection becomes a WebSocket."}
    if not one.sends:
        return {"description": "Done."}
    return {"description": "The reply.", "content": {kind: {} for kind in one.sends}}


def _parameter(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": one.kind}
    if one.values:
        schema["enum"] = list(one.values)
    made: dict[str, Any] = {
        "name": one.name, "in": one.where, "description": one.summary,
        "required": one.required, "schema": schema,
    }  # fmt: skip
    return made


def _body(one: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{one.body}"}}
    if (example := EXAMPLES.get(one.action)) is not None:
        described["example"] = example
    return {"required": True, "content": dict.fromkeys(one.takes, described)}


def _error(name: str) -> dict[str, Any]:
    """The parts on which programs may rely: the envelopes contain more."""
    text = {"type": "string"}
    inner: dict[str, Any] = {"type": "object", "properties": {"message": text}}
    if name == "ollama":
        return {"type": "object", "properties": {"error": text}, "required": ["error"]}
    if name == "gemini":
        inner["properties"] |= {"code": {"type": "integer"}, "status": text}
    elif name == "anthropic":
        inner["properties"] |= {"type": text}
    elif name == "openai":
        inner["properties"] |= {"type": text, "code": {"type": ["string", "integer", "null"]}}
    else:
        inner["properties"] |= {"code": text, "field": {"type": ["string", "null"]}}
    return {"type": "object", "properties": {"error": inner}, "required": ["error"]}


def _unserved(name: str) -> list[dict[str, str]]:
    """The parts of the vendor's API that are not served, and what to do instead."""
    found = [
        {"paths": api.paths, "api": api.name, "instead": api.remedy, "code": api.code}
        for api in list_unserved(Dialect(name))
    ]
    if name == Dialect.GEMINI:
        found += [
            {"paths": f"models/[^/]+:{word}", "api": api, "instead": "", "code": "unknown_action"}
            for word, api in GEMINI_APIS.items()
        ]
    return found


def list_unserved(surface: Dialect) -> list[Api]:
    """The APIs that clients of a surface may look for, including those of two vendors."""
    owners = {None, surface}
    if surface is Dialect.OPENAI:
        owners.add(Dialect.RESPONSES)
    return [api for api in APIS if api.owner in owners]
