"""YAML text to plain values, with the place of every key and value.

YAML 1.1 as PyYAML reads it, without its traps: no sexagesimal numbers (``1:30``), no dates, no
octal by a leading zero; such scalars stay text. Refused: duplicate keys, keys that are not
text, tags, several documents, and files built to explode (nesting, aliases of aliases).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import cyaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from casedesk_proxy.config.complaints import Complaint
from casedesk_proxy.config.settings import Path, show, spell
from casedesk_proxy.config.syntax import TOO_DEEP, describe

__all__ = ["Mark", "Tree", "read_tree"]

MAX_TEXT_CHARS = 2**22
MAX_DEPTH = 30
#: Values in total, aliases counted at each use.
MAX_VALUES = 200_000

_TOO_DEEP_FOR_LIBYAML = "exceeded maximum nesting depth"

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; line and column start at 1."""

    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """``value`` is None for an empty file. ``keys`` and ``values`` give the place of each path."""

    value: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)


def read_tree(text: str, file: str) -> Tree:
    """Never raises: faults are in ``complaints``, and ``value`` has the valid part."""
    tree = Tree()
    if len(text) > MAX_TEXT_CHARS:
        tree.complaints = [
            Complaint("", "is larger than 4 MiB, the limit for a configuration", file)
        ]
        return tree
    try:
        root = _compose(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML raises ValueError and OverflowError for \U escapes beyond Unicode.
        tree.complaints = [describe(error, text, file)]
        return tree
    if root is not None:
        try:
            tree.value = _Reader(tree, file).read(root, ())
        except _TooLargeError as error:
            tree.complaints.append(error.complaint)
            tree.value = None
    return tree


def _compose(text: str) -> yaml.Node | None:
    """Parsed with libyaml if PyYAML has it: four times as fast as in Python. A text that libyaml
    refuses is parsed again by PyYAML's own parser, whose errors `syntax` explains, and which may
    accept it."""
    if _FastLoader is not None:
        try:
            return _compose_by(_FastLoader, text)
        except yaml.MarkedYAMLError as error:
            # PyYAML would search for the end of each bracket first, again and again.
            if error.problem in (TOO_DEEP, _TOO_DEEP_FOR_LIBYAML):
                raise yaml.MarkedYAMLError(
                    problem=TOO_DEEP, problem_mark=error.problem_mark
                ) from None
        except (yaml.YAMLError, ValueError, OverflowError):
            pass
    return _compose_by(_Loader, text)


def _compose_by(loader: Any, text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=loader)


class _TooLargeError(Exception):
    def __init__(self, complaint: Complaint) -> None:
        self.complaint = complaint


class _Composer(Composer):
    """Composes nodes with a limit on nesting."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[attr-defined]
            raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Scalars(BaseResolver):
    """Resolves scalars with fewer guesses than YAML."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own mechanism


class _Loader(Reader, Scanner, Parser, _Composer, _Scalars):
    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Composer.__init__(self)
        _Scalars.__init__(self)


#: Types of plain scalars: tag, form, first characters. All others are text.
_SCALARS = (
    ("bool", r"(?i:yes|no|true|false|on|off)", "yYnNtTfFoO"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]{0,17})|0x[0-9a-fA-F]{1,15}", "-+0123456789"),
    ("float", r"[-+]?[0-9]{1,17}\.[0-9]{0,17}(?:[eE][-+]?[0-9]{1,2})?", "-+0123456789"),
    ("merge", r"<<", "<"),
)
for _name, _form, _first in _SCALARS:
    _Scalars.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_form})$"), list(_first))


def _make_fast_loader() -> Any:
    parser: Any = vars(cyaml)["CParser"]

    class FastLoader(_Composer, _Scalars, parser):  # type: ignore[misc]
        """Events by libyaml; nodes, limits and scalars as in `_Loader`."""

        def __init__(self, stream: str) -> None:
            parser.__init__(self, stream)
            _Composer.__init__(self)
            _Scalars.__init__(self)

    return FastLoader


#: None if PyYAML was built without libyaml.
_FastLoader = _make_fast_loader() if yaml.__with_libyaml__ else None
_TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


class _Reader:
    """Walks the node graph once, aliases at each use."""

    def __init__(self, tree: Tree, file: str) -> None:
        self.tree = tree
        self.file = file
        self.count = 0
        self.open: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        # This also stops recursion through an alias, whose depth or number is unlimited.
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH or id(node) in self.open:
            message = "expands too much through its YAML aliases"
            raise _TooLargeError(self._complaint(node, path, message, "write the values out"))
        self.tree.values[path] = _mark(node)
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, path)
        self.open.add(id(node))
        try:
            if node.tag not in _COLLECTIONS:
                self._complain(node, path, *_TAGGED)
            if isinstance(node, yaml.MappingNode):
                return self._read_mapping(node, path)
            return [self.read(one, (*path, index)) for index, one in enumerate(node.value)]
        finally:
            self.open.discard(id(node))

    def _read_mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged.append(value_node)
                continue
            key = self._read_key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in found:
                first = self.tree.keys[here].line
                message = f"appears a second time; the first is in line {first}"
                self._complain(key_node, here, message, "keep one of them")
                continue
            self.tree.keys[here] = _mark(key_node)
            found[key] = self.read(value_node, here)
        for value_node in merged:
            self._merge(found, value_node, path)
        return found

    def _merge(self, found: dict[str, Any], node: yaml.Node, path: Path) -> None:
        """``<<:`` adds what the mapping itself lacks; of several, the first counts."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self._complain(source, path, "<<: must be a mapping, or a list of mappings", "")
                continue
            inherited = Tree()
            reader = _Reader(inherited, self.file)
            reader.count, reader.open = self.count, self.open
            value = reader.read(source, path)
            self.count = reader.count
            self.tree.complaints += inherited.complaints
            for key in [key for key in value if key not in found]:
                found[key] = value[key]
                depth = len(path)
                for mine, theirs in (
                    (self.tree.keys, inherited.keys),
                    (self.tree.values, inherited.values),
                ):
                    mine.update({p: m for p, m in theirs.items() if p[depth : depth + 1] == (key,)})

    def _read_key(self, node: yaml.Node, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._complain(node, path, "a list or mapping is used as a key", "")
            return None
        text: str = node.value
        if node.tag != f"{_TAG}str":
            what = _KINDS.get(node.tag, "not text")
            message = f"YAML reads this key as {what}, but a key must be text"
            self._complain(node, (*path, text), message, f'put it in quotes: "{show(text)}"')
            return None
        return self._check_text(node, (*path, text), text)

    def _read_scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text: str = node.value
        if node.tag == f"{_TAG}str":
            return self._check_text(node, path, text)
        if node.tag == f"{_TAG}null":
            return None
        try:
            if node.tag == f"{_TAG}bool":
                return _TRUTH[text.lower()]
            if node.tag == f"{_TAG}int":
                return int(text.replace("_", ""), 16 if "x" in text else 10)
            if node.tag == f"{_TAG}float":
                return float(text)
        except (KeyError, ValueError):
            pass  # only an explicit tag can require a type that the text does not have
        self._complain(node, path, *_TAGGED)
        return None

    def _check_text(self, node: yaml.Node, path: Path, text: str) -> str | None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._complain(
                node, path[:-1], "contains half of a surrogate pair, which is not valid text", ""
            )
            return None
        return text

    def _complaint(self, node: yaml.Node, path: Path, message: str, remedy: str) -> Complaint:
        mark = _mark(node)
        return Complaint(spell(path), message, self.file, mark.line, mark.column, remedy)

    def _complain(self, node: yaml.Node, path: Path, message: str, remedy: str) -> None:
        self.tree.complaints.append(self._complaint(node, path, message, remedy))


_COLLECTIONS = (f"{_TAG}map", f"{_TAG}seq")
_TAGGED = ("has a YAML tag (!…), which is not supported", "remove the tag")
_KINDS = {
    f"{_TAG}bool": "true or false",
    f"{_TAG}null": "nothing",
    f"{_TAG}int": "a number",
    f"{_TAG}float": "a number",
}


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
