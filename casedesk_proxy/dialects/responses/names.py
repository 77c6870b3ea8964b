"""Functions in namespaces, mapped to one flat list of names, and back.

Codex sends the tools of an MCP server, and its own for sub-agents, as one tool of type
``namespace`` with functions inside; a call names both. Chat has only one level of names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings

__all__ = ["FlatNames", "QualifiedName", "are_flattenable", "has_namespaces"]

_PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNPORTABLE = re.compile("[^A-Za-z0-9_-]")
#: How many characters of a flat name are kept before its digest, if it is shortened.
_MAX_KEPT_CHARS = 55
_BETWEEN = "__"


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """A function's name as a Responses client knows it; ``namespace`` is "" for most."""

    name: str
    namespace: str = ""


@dataclass(slots=True)
class FlatNames:
    """Gives each function the name under which the node knows it. ``origins`` maps back.

    ``freeform`` are those that the client knows as freeform tools.

    ``strict``: the node accepts only letters, digits, ``_`` and ``-``, 64 of them. Names inside a
    namespace always follow this rule: these flat names are made here, and every node accepts them.
    A name always gets the same replacement, whether it is declared or in the history.
    """

    strict: bool
    origins: dict[str, QualifiedName] = field(default_factory=dict)
    freeform: set[QualifiedName] = field(default_factory=set)

    def flatten(self, wanted: QualifiedName) -> str:
        """Raises ValueError if another function has this name already."""
        flat = self._flat(wanted)
        known = self.origins.setdefault(flat, wanted)
        if known != wanted:
            raise ValueError(flat)
        return flat

    def give(self, wanted: QualifiedName, path: str, findings: Findings) -> str:
        """`flatten`; if the name is taken, returns the function's own name and adds a fault at
        ``path``."""
        try:
            return self.flatten(wanted)
        except ValueError as clash:
            message = (
                f"becomes {clash} without its namespace, like another function; rename one of"
                " the two"
            )
            findings.fault(f"{path}.name", message)
            return wanted.name

    def origin(self, flat: str) -> QualifiedName:
        """The client's name; an unknown name is returned unchanged."""
        return self.origins.get(flat) or QualifiedName(flat)

    def _flat(self, wanted: QualifiedName) -> str:
        if not wanted.namespace:
            joined, strict = wanted.name, self.strict
        else:
            between = "" if wanted.namespace.endswith(_BETWEEN) else _BETWEEN
            joined, strict = f"{wanted.namespace}{between}{wanted.name}", True
        if not strict or _PORTABLE.fullmatch(joined):
            return joined
        seed = f"{wanted.namespace}\0{wanted.name}".encode("utf-8", "replace")
        digest = hashlib.blake2b(seed, digest_size=4).hexdigest()
        return f"{_UNPORTABLE.sub('_', joined)[:_MAX_KEPT_CHARS]}_{digest}"


def are_flattenable(body: Mapping[str, Any]) -> bool:
    """Whether a request's namespaces contain only functions, each with a name."""
    tools = body.get("tools")
    return all(
        _is_flattenable(tool)
        for tool in (tools if isinstance(tools, list) else ())
        if isinstance(tool, dict) and tool.get("type") == "namespace"
    )


def _is_flattenable(namespace: Mapping[str, Any]) -> bool:
    name, inner = namespace.get("name"), namespace.get("tools")
    named = isinstance(name, str) and bool(name) and isinstance(inner, list)
    return named and all(
        isinstance(one, dict) and one.get("type") == "function" and isinstance(one.get("name"), str)
        for one in inner or ()
    )


def has_namespaces(body: Mapping[str, Any]) -> bool:
    """Whether a request, of any shape, has tools or calls inside namespaces."""
    tools, items = body.get("tools"), body.get("input")
    return any(
        isinstance(tool, dict) and tool.get("type") == "namespace"
        for tool in (tools if isinstance(tools, list) else ())
    ) or any(
        isinstance(item, dict) and item.get("type") == "function_call" and item.get("namespace")
        for item in (items if isinstance(items, list) else ())
    )
