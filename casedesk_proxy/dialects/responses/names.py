"""Functions that stand in namespaces, as one flat list of names, and back.

Codex sends the tools of an MCP server, and its own for sub-agents, as one tool of type
``namespace`` with functions inside; a call names both. Chat has one level of names alone.
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
#: Characters of a flat name that is shortened, before its digest.
_MAX_KEPT_CHARS = 55
_BETWEEN = "__"


@dataclass(frozen=True, slots=True)
class QualifiedName:
    """A function's name as a Responses client knows it; ``namespace`` is "" for most."""

    name: str
    namespace: str = ""


@dataclass(slots=True)
class FlatNames:
    """Gives each function the name under which the node knows it. ``origins`` leads back.

    ``strict``: the node takes only letters, digits, ``_`` and ``-``, 64 of them. A name inside a
    namespace is always made so: it is ours, and every node can take it. The same name always
    becomes the same other, whether it is declared or stands in the history.
    """

    strict: bool
    origins: dict[str, QualifiedName] = field(default_factory=dict)

    def flatten(self, wanted: QualifiedName) -> str:
        """Raises ValueError where another function has got this name already."""
        flat = self._flat(wanted)
        known = self.origins.setdefault(flat, wanted)
        if known != wanted:
            raise ValueError(flat)
        return flat

    def give(self, wanted: QualifiedName, path: str, findings: Findings) -> str:
        """`flatten`; of a function that cannot have its name, its own, and a fault of ``path``."""
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
        """What the client calls it; a name that was never given is passed on as it is."""
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
    """Whether all that stands in a request's namespaces are functions, each with a name."""
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
