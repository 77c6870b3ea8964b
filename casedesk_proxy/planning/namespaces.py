"""A Responses request with functions in namespaces, for a node that speaks Responses: no engine
supports namespaces, so the functions get flat names. Only the bytes of the names change.

See `dialects.responses.names` for the names, and `replying.namespaces` for the way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.responses.names import FlatNames, QualifiedName
from casedesk_proxy.replying.namespaces import NameRestorer, NamespacedBody, NamespacedStream
from casedesk_proxy.surfaces.bodies import RequestBody
from casedesk_proxy.surfaces.json_spans import Span, elements, members, splice

__all__ = ["flatten_namespaces"]


def flatten_namespaces(raw: bytes, body: RequestBody, asked: str) -> tuple[bytes, Translator]:
    """The body for the node, and the translator that restores the names in its reply. ``raw`` is
    the request, with the node's model; ``asked`` is the client's name of it. Raises BadRequest if
    two functions would get one name."""
    flattener = _Flattener()
    flat = splice(raw, flattener.changes(raw))
    flattener.findings.raise_faults()
    tools = body.value.get("tools")
    shown = jsonio.dumps_stream(tools) if tools else b""
    restorer = NameRestorer(flattener.names, shown)
    make = NamespacedStream if body.stream else NamespacedBody
    return flat, make(asked, restorer)


class _Flattener:
    """``names`` are the assigned names; ``findings`` has the faults."""

    def __init__(self) -> None:
        # A name outside of namespaces is unchanged: the node judges it.
        self.names = FlatNames(strict=False)
        self.findings = Findings(feature_code="unsupported_responses_feature")

    def changes(self, raw: bytes) -> Iterator[tuple[Span, bytes]]:
        """The changes in the body's members: tools first, since their names are assigned before the
        others."""
        found = [(jsonio.loads(key), start, end) for key, start, end in members(raw)]
        made: dict[Span, bytes] = {}
        for key in ("tools", "input", "tool_choice"):
            for _, start, end in (one for one in found if one[0] == key):
                new = self._member(key, raw[start:end])
                if new is not None:
                    made[start, end] = new
        yield from sorted(made.items())

    def _member(self, key: str, value: bytes) -> bytes | None:
        if key == "tools":
            return _list_of(self._tools(value))
        if key == "input" and value.startswith(b"["):
            return _list_of(self._items(value))
        if key == "tool_choice" and value.startswith(b"{"):
            return self._choice(jsonio.loads(value))
        return None

    def _tools(self, raw: bytes) -> Iterator[bytes]:
        seen: set[str] = set()
        for at, (start, end) in enumerate(elements(raw)):
            tool, path = jsonio.loads(raw[start:end]), f"tools[{at}]"
            if not isinstance(tool, dict) or tool.get("type") != "namespace":
                if isinstance(tool, dict) and isinstance(name := tool.get("name"), str):
                    self._give(QualifiedName(name), path, seen)
                yield raw[start:end]
                continue
            inner = _value(raw[start:end], "tools")
            for place, (first, last) in enumerate(elements(inner)):
                one = inner[first:last]
                called = QualifiedName(jsonio.loads(one)["name"], tool["name"])
                flat = self._give(called, f"{path}.tools[{place}]", seen)
                yield _with_name(one, flat)

    def _items(self, raw: bytes) -> Iterator[bytes]:
        for at, (start, end) in enumerate(elements(raw)):
            item, path = jsonio.loads(raw[start:end]), f"input[{at}]"
            called = _called(item)
            if called is None:
                yield raw[start:end]
            else:
                yield _with_name(raw[start:end], self._give(called, path))

    def _choice(self, choice: dict[str, Any]) -> bytes | None:
        """``tool_choice`` may name a function, a namespace, or several of both."""
        path = "tool_choice"
        if (called := _called(choice, "function")) is not None:
            choice = _renamed(choice, self._give(called, path))
            return jsonio.dumps(choice)
        allowed = choice.get("tools")
        if not isinstance(allowed, list):
            return None
        kept: list[Any] = []
        for at, one in enumerate(allowed):
            called = _called(one, "function")
            if called is not None:
                kept.append(_renamed(one, self._give(called, f"{path}.tools[{at}]")))
            elif isinstance(one, dict) and one.get("type") == "namespace":
                kept += self._members_of(one.get("name"))
            else:
                kept.append(one)
        return jsonio.dumps(choice | {"tools": kept})

    def _members_of(self, namespace: Any) -> Iterable[dict[str, str]]:
        origins = self.names.origins.items()
        flat = [name for name, origin in origins if origin.namespace == namespace]
        return [{"type": "function", "name": name} for name in flat]

    def _give(self, called: QualifiedName, path: str, seen: set[str] | None = None) -> str:
        flat = self.names.give(called, path, self.findings)
        if seen is not None:
            if flat in seen and self.names.origin(flat) == called:
                self.findings.fault(f"{path}.name", "functions must have unique names")
            seen.add(flat)
        return flat


def _called(item: Any, kind: str = "function_call") -> QualifiedName | None:
    """The function inside a namespace that an item names."""
    if not isinstance(item, dict) or item.get("type") != kind:
        return None
    name, namespace = item.get("name"), item.get("namespace")
    if not isinstance(name, str) or not isinstance(namespace, str) or not namespace:
        return None
    return QualifiedName(name, namespace)


def _renamed(value: Mapping[str, Any], flat: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != "namespace"} | {"name": flat}


def _with_name(raw: bytes, flat: str) -> bytes:
    """The object with that name and without a namespace; all other members unchanged."""
    kept = [
        key + b":" + (jsonio.dumps(flat) if _is(key, "name") else raw[start:end])
        for key, start, end in members(raw)
        if not _is(key, "namespace")
    ]
    return b"{" + b",".join(kept) + b"}"


def _value(raw: bytes, name: str) -> bytes:
    """The value of a key: the last one if it is repeated, as in JSON parsers."""
    return [raw[start:end] for key, start, end in members(raw) if _is(key, name)][-1]


def _list_of(values: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]"


def _is(key: bytes, name: str) -> bool:
    return bool(jsonio.loads(key) == name)
