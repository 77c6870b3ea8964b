"""The treatment of a field, found by sending it; and the fields that a module reads."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from casedesk_proxy.dialects.core.contract import TranslatedRequest
from casedesk_proxy.dialects.core.known_fields import Fate, Messages
from casedesk_proxy.errors import BadRequest, Unsupported

PACKAGE = Path(__file__).parents[2] / "casedesk_proxy"

Body = dict[str, Any]


def find_fate(translate: Callable[[Body], TranslatedRequest], plain: Body, changed: Body) -> Fate:
    """``plain`` is the request without the field. A field that is reported as invalid has been
    read."""
    before = translate(plain)
    try:
        after = translate(changed)
    except Unsupported:
        return Fate.REFUSED
    except BadRequest:
        return Fate.MAPPED
    if after.dropped != before.dropped:
        return Fate.LEFT_OUT
    return Fate.MAPPED if after.body != before.body else Fate.IGNORED


def fields_read(*modules: str) -> set[str]:
    """The names that these modules of dialects/ look up: ``x.get("name")``, ``x["name"]`` and
    ``"name" in x``."""
    found: set[str] = set()
    for module in modules:
        tree = ast.parse((PACKAGE / "dialects" / f"{module}.py").read_text())
        found |= {name for node in ast.walk(tree) for name in _looked_up(node)}
    return found


def _looked_up(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get" and node.args:
            yield from _texts(node.args[0])
    elif isinstance(node, ast.Subscript):
        yield from _texts(node.slice)
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
        yield from _texts(node.left)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def all_fields(messages: Messages) -> set[str]:
    return {name for fields in messages.values() for name in fields}


def constants(*modules: str) -> set[str]:
    """Every text constant in these modules."""
    return {
        node.value
        for module in modules
        for node in ast.walk(ast.parse((PACKAGE / "dialects" / f"{module}.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def of_fate(messages: Messages, *fates: Fate) -> list[tuple[str, str]]:
    return [
        (message, name)
        for message, fields in messages.items()
        for name, field in fields.items()
        if field.fate in fates
    ]


def check_references(messages: Messages) -> None:
    """Each message that a field refers to exists, and each message but the requests is referred
    to."""
    named = {
        kind.removesuffix("[]")
        for fields in messages.values()
        for field in fields.values()
        for kind in field.kind.split("|")
        if kind[0].isupper()
    }
    assert named <= messages.keys()
    assert {name for name in messages if not name.endswith("Request")} <= named
