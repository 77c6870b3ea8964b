"""YAML text to a Config, or every complaint about it at once. The caller reads the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.findings import Finding
from casedesk_proxy.config.old_names import find_old_names, spell_old, take_new_names
from casedesk_proxy.config.references import cross_check, find_unopened
from casedesk_proxy.config.schema import Config, Key, Secret
from casedesk_proxy.config.settings import Path, section_at, spell
from casedesk_proxy.config.tree import Mark, Tree, read_tree
from casedesk_proxy.config.wording import KEY_NAMES, nearest, word

__all__ = ["LoadedConfig", "load_config"]


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """``warnings`` are what an operator should know about a file that can be used. ``unopened``: by
    deployment, a warning that no key of the file grants access to it, although a key of the state
    file may. ``marks``: the places of the settings, by spelled path."""

    config: Config
    warnings: list[Complaint]
    unopened: dict[str, Complaint]
    marks: dict[str, Mark] = field(repr=False)

    def locate(self, complaints: Iterable[Complaint]) -> list[Complaint]:
        """The same complaints with lines and columns. A check of what the file refers to, such as a
        certificate, knows only the path of the setting."""
        return [self._locate(one) for one in complaints]

    @contextmanager
    def locating(self) -> Iterator[None]:
        """Add lines and columns to a ConfigError that is raised within."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(self.locate(error.complaints)) from None

    def _locate(self, complaint: Complaint) -> Complaint:
        mark = None if complaint.line else self.marks.get(complaint.path)
        return complaint if mark is None else replace(complaint, line=mark.line, column=mark.column)


def load_config(text: str, file: str) -> LoadedConfig:
    """``file`` is only the name in complaints. Raises ConfigError with all of them, in file order.

    No complaint repeats a value that may be a secret.
    """
    tree = read_tree(text, file)
    if tree.value is None:
        empty = Complaint("", "is empty", file, 1, 1, "`casedesk-proxy init` writes a first one")
        raise ConfigError(sorted(tree.complaints, key=_order) or [empty])
    if not isinstance(tree.value, dict):
        keyless = Complaint("", "is not a mapping", file, 1, 1, "write key: value lines")
        raise ConfigError([keyless, *sorted(tree.complaints, key=_order)])
    data = take_new_names(tree.value)
    config, findings = _validate(data)
    findings += [*cross_check(data), *find_old_names(tree.value)]
    wrong = _place(tree, file, [one for one in findings if not one.warns])
    # The reader left out what it complained of: no second complaint about the gap.
    places = {(one.line, one.column) for one in tree.complaints}
    complaints = tree.complaints + [one for one in wrong if (one.line, one.column) not in places]
    if complaints or config is None:
        raise ConfigError(sorted(complaints, key=_order))
    warnings = _place(tree, file, [one for one in findings if one.warns])
    unopened = find_unopened(data)
    placed = _place(tree, file, list(unopened.values()))
    return LoadedConfig(
        config,
        sorted(warnings, key=_order),
        dict(zip(unopened, placed, strict=True)),
        {spell(path): _mark(tree, path) for path in tree.values},
    )


def _validate(data: dict[str, Any]) -> tuple[Config | None, list[Finding]]:
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    renamed = {
        (*one["loc"][:-1], "sha256")
        for one in errors
        if one["type"] == "extra_forbidden"
        and section_at(one["loc"][:-1]) is Key
        and str(one["loc"][-1]).lower() in KEY_NAMES
    }
    return None, [
        _find(one["type"], one["loc"], one.get("input"), one.get("ctx", {}))
        for one in errors
        # There is a complaint about the setting with the old name already.
        if one["type"] != "missing" or one["loc"] not in renamed
    ]


def _find(kind: str, where: Path, value: Any, context: dict[str, Any]) -> Finding:
    message, remedy = word(kind, where, value, context)
    if (
        kind == "extra_forbidden"
        and section_at(where[:-1]) is Secret
        and nearest(str(where[-1]), Secret.model_fields) is None
    ):
        # `api_key: {sk-123}` makes the key itself a YAML key: it must not be repeated.
        where, message = where[:-1], "contains an unknown setting"
    return Finding(where, message, remedy, at_key=kind == "extra_forbidden")


def _place(tree: Tree, file: str, findings: list[Finding]) -> list[Complaint]:
    placed = []
    for finding in findings:
        path = spell_old(finding.path, tree.value)
        mark = _mark(tree, path, finding.at_key)
        if path[-1:] == ("[key]",):  # pydantic's notation for a mapping's key
            path = path[:-1]
        placed.append(
            Complaint(spell(path), finding.message, file, mark.line, mark.column, finding.remedy)
        )
    return placed


def _mark(tree: Tree, path: Path, at_key: bool = False) -> Mark:
    """The place in the file; for something missing, the section that lacks it."""
    if path[-1:] == ("[key]",):
        path, at_key = path[:-1], True
    value, key = tree.values.get(path), tree.keys.get(path)
    # A section is marked at its name: its first key is not at fault.
    if key is not None and (at_key or _is_section(tree, path)):
        return key
    if value is not None:
        return value
    return _mark(tree, path[:-1]) if path else Mark(1, 1)


def _is_section(tree: Tree, path: Path) -> bool:
    here = tree.value
    for part in path:
        here = here[part]
    return isinstance(here, dict | list)


def _order(complaint: Complaint) -> tuple[int, int]:
    return complaint.line, complaint.column
