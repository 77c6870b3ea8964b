"""The JSON schema of the file for editors: completion, descriptions, error marks."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.config.schema import Config

__all__ = ["DRAFT", "config_schema"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. A file that it accepts may still be refused by `load_config`,
    which also checks names against each other; a file that it refuses is refused there too, except
    for ``yes`` and ``no`` as truth values, which YAML 1.2 editors read as text."""
    schema = Config.model_json_schema()
    _drop_titles(schema)
    secret = schema["$defs"]["Secret"]
    secret["properties"].pop("inline")
    secret["minProperties"] = secret["maxProperties"] = 1
    description = "The key itself: whoever reads the file has it. Better: env, file or credential."
    text = {"type": "string", "minLength": 1, "deprecated": True, "description": description}
    schema["$defs"]["Secret"] = {"anyOf": [secret, text]}
    alias = {"$ref": "#/$defs/Alias"}
    aliases = schema["$defs"]["Deployment"]["properties"]["aliases"]
    aliases["additionalProperties"] = {"anyOf": [{"type": "string", "minLength": 1}, alias]}
    for name in ("nodes", "deployments"):
        schema["properties"][name]["minProperties"] = 1
    return {
        "$schema": DRAFT,
        "title": "CaseDesk Proxy configuration",
        **schema,
        "required": ["nodes", "deployments"],
    }


def _drop_titles(schema: Any) -> None:
    """pydantic gives every key its own name as title, which editors show in place of the
    description."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for value in schema.values():
            _drop_titles(value)
    elif isinstance(schema, list):
        for value in schema:
            _drop_titles(value)
