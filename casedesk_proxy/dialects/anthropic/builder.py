"""The pieces of a Messages request, in the form that every node accepts."""

from __future__ import annotations

from typing import Any

__all__ = ["media_block", "text_block", "tool", "tool_result", "tool_use"]


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def tool_use(ident: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": arguments}


def tool_result(ident: str, content: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, "content": content}


def media_block(kind: str, mime: str, data: str) -> dict[str, Any]:
    """``kind``: image or document."""
    return {"type": kind, "source": {"type": "base64", "media_type": mime, "data": data}}


def tool(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """``description``: "" to leave it out."""
    described = {"description": description} if description else {}
    return {"name": name, **described, "input_schema": schema}
