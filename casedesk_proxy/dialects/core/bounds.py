"""How many turns, parts, tools and schema nodes a translated request may have.

Translation costs time per item, and the process serves no other request meanwhile. Measured on a
busy core: 7 µs a part, 18 a turn, 28 a turn with a call, 40 a function, 9 a node of a schema. The
limits are shares of one number, ``server.body_items``; at its default, each of them is reached in
at most a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from casedesk_proxy.errors import BadRequest, Violation
from casedesk_proxy.terms import Dialect

__all__ = ["check_bounds"]

#: The limit of each kind: this share of all items.
TURNS_SHARE, PARTS_SHARE, TOOLS_SHARE, NODES_SHARE = 10, 5, 50, 5
#: The field with the turns.
_TURNS = {Dialect.GEMINI: "contents", Dialect.RESPONSES: "input"}
_WRAPPERS = ("generateContentRequest", "generate_content_request")
_DECLARED = ("functionDeclarations", "function_declarations")
_FORMATS = ("generationConfig", "generation_config", "output_config", "output_format")


def check_bounds(surface: Dialect, body: dict[str, Any], most: int) -> None:
    """Raises BadRequest, naming each field that has more than its share of ``most``."""
    where = ""
    for name in _WRAPPERS:
        if isinstance(body.get(name), dict):
            body, where = body[name], f"{name}."
    field = _TURNS.get(surface, "messages")
    if "requests" in body:
        field = "requests"
    turns = _listed(body.get(field))
    tools = _listed(body.get("tools"))
    found = [
        (field, len(turns), most // TURNS_SHARE, "requests" if field == "requests" else "turns"),
        (field, sum(map(_parts, turns)), most // PARTS_SHARE, "parts"),
        ("tools", sum(map(_functions, tools)), most // TOOLS_SHARE, "functions"),
    ]
    found += [
        (name, _nodes(body[name], most // NODES_SHARE), most // NODES_SHARE, "objects in schemas")
        for name in ("tools", *_FORMATS)
        if isinstance(body.get(name), dict | list)
    ]
    violations = tuple(
        Violation(
            where + name,
            f"more than {limit} {what} in one request; send fewer, or ask the operator to raise"
            " server.body_items",
        )
        for name, count, limit, what in found
        if count > limit
    )
    if violations:
        text = "\n".join(f"{one.path}: {one.description}" for one in violations)
        raise BadRequest(text, code="too_many_items", violations=violations)


def _listed(value: Any) -> list[Any]:
    """A single object in place of a list is one element, as for Google."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def _parts(turn: Any) -> int:
    """The parts of a turn, those in the results of its calls included; 1 for a text."""
    if not isinstance(turn, dict):
        return 0
    if isinstance(turn.get("content"), dict):  # a request for an embedding
        turn = turn["content"]
    blocks = turn.get("parts", turn.get("content", turn.get("output")))
    if not isinstance(blocks, list):
        return 1
    inner = (block.get("content") for block in blocks if isinstance(block, dict))
    return len(blocks) + sum(len(one) for one in inner if isinstance(one, list))


def _functions(tool: Any) -> int:
    if not isinstance(tool, dict):
        return 1
    lists = [tool[name] for name in _DECLARED if isinstance(tool.get(name), list)]
    return sum(map(len, lists)) if lists else 1


def _nodes(value: Any, most: int) -> int:
    """The number of objects in a value; any number above ``most`` if there are more."""
    count = 0
    stack = [value]
    while stack and count <= most:
        one = stack.pop()
        if isinstance(one, dict):
            count += 1
        stack.extend(_containers(one))
    return count


def _containers(value: dict[str, Any] | list[Any]) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value
    return (one for one in inner if isinstance(one, dict | list))
