"""Every text of the package that a user, an operator or a program may see, read from its source.

Placeholders of a template are shown as …. Texts of one or two words, SQL and regular expressions
are left out. The catalogue of errors is made from this (`docs/pages.py`), and the prose rules are
applied to it (`docs/prose.py`).
"""

from __future__ import annotations

import ast
import io
import random
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from casedesk_proxy import errors
from casedesk_proxy.dialects.core.findings import FEATURE_REMEDY
from casedesk_proxy.wording import AboutNode

PACKAGE = Path(__file__).parents[1] / "casedesk_proxy"
HOLE = "…"

_MIN_WORDS = 3
_FOREIGN = re.compile(
    r"\(\?|\\[dwsbAz]|<[a-z!/]|[a-z]-src '"
    r"|^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|WITH|CAST|SET)\b"
)
_ERRORS = {
    name: one
    for name, one in vars(errors).items()
    if isinstance(one, type) and issubclass(one, errors.ProxyError)
}
_ABOUT = errors.ClientFault.about.__name__
#: Where requests of a protocol are read or translated, and the code of the errors there.
_FEATURES = {
    f"dialects/{folder}": f"unsupported_{surface}_feature"
    for surface in ("anthropic", "gemini", "responses")
    for folder in (surface, f"pairs/{surface}_")
}


@dataclass(frozen=True, slots=True)
class Text:
    """``module``: its path within the package."""

    module: str
    line: int
    text: str


def find_texts() -> list[Text]:
    """In the order of modules and lines, without docstrings, except those of commands, which are
    their help."""
    return [text for name, tree in _modules() for text in _texts_of(name, tree)]


@cache
def find_error_messages() -> dict[str, set[str]]:
    """By code, the templates of the messages that the package gives to errors; the simulated node's
    are its own."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, tree in _modules():
        if name.startswith("simulator/"):
            continue
        for scope, call in _error_calls(tree):
            for template in _messages_of(call, scope):
                if len(template.replace(HOLE, " ").split()) >= _MIN_WORDS:
                    template = _advised(template, _error_of(call).remedy)
                    for code in _codes_of(call, scope):
                        found[code].add(re.sub(f"{HOLE}+", HOLE, template))
        for folder, code in _FEATURES.items():
            if name.startswith(folder):
                found[code] |= {
                    _advised(text, FEATURE_REMEDY) for text in _refusals(tree) if HOLE not in text
                }
    return found


def _messages_of(call: ast.Call, scope: _Scope) -> list[str]:
    if not call.args:
        return []
    if issubclass(_error_of(call), errors.StreamBroken):
        return _about_node(call, scope)
    if _name(call.func) == _ABOUT:
        messages = _resolve(call.args[1], scope)
        return [f"{path}: {what}" for path in _resolve(call.args[0], scope) for what in messages]
    return _resolve(call.args[0], scope)


def _is_error(call: ast.Call) -> bool:
    return _error_name(call) in _ERRORS


def _error_of(call: ast.Call) -> type[errors.ProxyError]:
    return _ERRORS[_error_name(call)]


def _error_name(call: ast.Call) -> str:
    """Of an error that is made by its class, or by `ClientFault.about`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == _ABOUT:
        return _name(call.func.value)
    return _name(call.func)


def _about_node(call: ast.Call, scope: _Scope) -> list[str]:
    """Where its arguments are those of an `AboutNode`: as most clients get it, with a name."""
    its = next((_template(one.value) or "" for one in call.keywords if one.arg == "its"), "")
    return [AboutNode(did, its).text(HOLE) for did in _resolve(call.args[0], scope)]


def _advised(template: str, remedy: str) -> str:
    """The template as clients get it, with the remedy of its kind of error."""
    return f"{template}; {remedy}" if remedy and "; " not in template else template


def find_docstrings() -> list[Text]:
    """Of modules, classes and functions, except commands, in the order of modules."""
    return [
        Text(name, node.lineno, " ".join(node.value.split()))
        for name, tree in _modules()
        for silent in [_docstrings(tree)]
        for node in ast.walk(tree)
        if id(node) in silent and isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def find_comments() -> list[Text]:
    """Each comment of several lines as one text, in the order of modules."""
    found: list[Text] = []
    for path in _paths():
        name, last = path.relative_to(PACKAGE).as_posix(), -1
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.COMMENT:
                line, text = token.start[0], token.string.lstrip("#: ")
                if line == last + 1 and token.line.lstrip().startswith("#"):
                    found[-1] = Text(name, found[-1].line, f"{found[-1].text} {text}")
                else:
                    found.append(Text(name, line, text))
                last = line
    return found


@cache
def _modules() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())) for path in _paths()
    )


def _paths() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _texts_of(name: str, tree: ast.Module) -> Iterator[Text]:
    silent = _docstrings(tree)
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in node.values}
        elif not isinstance(node, ast.Constant):
            continue
        text = " ".join((_template(node) or "").split())
        if len(text.split()) >= _MIN_WORDS and not _FOREIGN.search(text):
            yield Text(name, node.lineno, text)


def _docstrings(tree: ast.Module) -> set[int]:
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        shown = any("command" in ast.unparse(one) for one in getattr(node, "decorator_list", ()))
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and not shown:
            found.add(id(first.value))
    return found


def _template(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(one) or HOLE for one in node.values)
    return None


@dataclass(frozen=True, slots=True)
class _Scope:
    """The assignments in a function and in its module, and the arguments that the module passes."""

    values: Mapping[str, list[ast.expr]]


def _error_calls(tree: ast.Module) -> Iterator[tuple[_Scope, ast.Call]]:
    outer = _assigned(tree.body)
    inside: set[int] = set()
    functions = [
        one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    # An inner function before the one that contains it.
    for function in [*reversed(functions), tree]:
        given = {} if isinstance(function, ast.Module) else _given(tree, function)
        scope = _Scope({**outer, **given, **_assigned(list(ast.walk(function)))})
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and id(node) not in inside and _is_error(node):
                inside.add(id(node))
                yield scope, node


def _given(
    tree: ast.Module, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> dict[str, list[ast.expr]]:
    """The arguments that calls in the same module pass to a function, by parameter name."""
    found: dict[str, list[ast.expr]] = defaultdict(list)
    names = [one.arg for one in function.args.args if one.arg not in ("self", "cls")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == function.name:
            for name, value in zip(names, node.args, strict=False):
                found[name].append(value)
            for keyword in node.keywords:
                if keyword.arg is not None:
                    found[keyword.arg].append(keyword.value)
    return found


def _refusals(tree: ast.Module) -> Iterator[str]:
    """What is reported about a place in a request that a node does not support."""
    scope = _Scope(_assigned(list(ast.walk(tree))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in ("refuse", "refuse_format"):
            yield from _resolve(node.args[1], scope) if len(node.args) > 1 else ()


def _assigned(nodes: list[ast.AST]) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = defaultdict(list)
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                _note(found, target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            _note(found, node.target, node.value)
    return found


def _note(found: dict[str, list[ast.expr]], target: ast.expr, value: ast.expr) -> None:
    if isinstance(target, ast.Name):
        found[target.id].append(value)
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            _note(found, one, other)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _codes_of(call: ast.Call, scope: _Scope) -> Iterator[str]:
    given = next((one.value for one in call.keywords if one.arg == "code"), None)
    if _error_of(call) is errors.LimitReached:
        yield from ("rate_limit_exceeded", "insufficient_quota")
    elif given is None:
        yield _error_of(call).code
    else:
        yield from (one for one in _resolve(given, scope) if HOLE not in one)


def _resolve(node: ast.expr, scope: _Scope, depth: int = 0) -> list[str]:
    """The possible templates of an expression."""
    if (text := _template(node)) is not None:
        return [text]
    if isinstance(node, ast.Call) and _name(node.func) == AboutNode.__name__:
        return _about_node(node, scope)
    if isinstance(node, ast.IfExp):
        return [*_resolve(node.body, scope, depth), *_resolve(node.orelse, scope, depth)]
    if isinstance(node, ast.BoolOp):
        return [text for one in node.values for text in _resolve(one, scope, depth)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        ends = _resolve(node.right, scope, depth)
        return [a + b for a in _resolve(node.left, scope, depth) for b in ends]
    if isinstance(node, ast.Subscript):
        return _resolve(node.value, scope, depth)
    if isinstance(node, ast.Dict):
        return [text for one in node.values if one for text in _resolve(one, scope, depth)]
    if isinstance(node, ast.Name) and node.id in scope.values and depth < 3:
        return [text for one in scope.values[node.id] for text in _resolve(one, scope, depth + 1)]
    return [HOLE]


if __name__ == "__main__":
    # Ten at random, to be read cold.
    every = [(code, one) for code, found in find_error_messages().items() for one in sorted(found)]
    for code, message in random.sample(every, 10):
        print(f"{code}: {message}")
