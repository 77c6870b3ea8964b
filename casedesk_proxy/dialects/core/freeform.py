"""OpenAI's freeform tools, which take any text, as functions with this text as their only argument.

A tool of type ``custom`` runs in the client, and its input is text of no particular form. With a
grammar it needs OpenAI's own sampler (openai 3.57.0, ``CustomToolInputFormat``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.calls import read_arguments
from casedesk_proxy.jsonio import dumps

__all__ = ["FREEFORM_PARAMETERS", "is_freeform", "read_freeform", "write_freeform"]

_INPUT = "input"
FREEFORM_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {_INPUT: {"type": "string"}},
    "required": [_INPUT],
}


def is_freeform(tool: Mapping[str, Any]) -> bool:
    """Whether a tool of any kind and shape is freeform, with a name and without a grammar. In
    chat's form, which is not valid here, the name is inside an object ``custom``."""
    name, form = tool.get("name"), tool.get("format")
    free = form is None or (isinstance(form, dict) and form.get("type") == "text")
    return tool.get("type") == "custom" and free and isinstance(name, str) and bool(name)


def write_freeform(text: str) -> str:
    """The arguments of a call with this input."""
    return dumps({_INPUT: text}).decode()


def read_freeform(arguments: str) -> str:
    """The input of a call. If the model gave other arguments, these are the input, since any text
    may be. "" if there are none, or they were cut short."""
    read = read_arguments(arguments)
    if not read:
        return ""
    text = read.get(_INPUT)
    return text if isinstance(text, str) and len(read) == 1 else arguments
