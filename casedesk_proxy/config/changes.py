"""The differences between two configurations, and which of them a running proxy cannot apply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from casedesk_proxy.config.schema import Config, Secret
from casedesk_proxy.config.section import Section
from casedesk_proxy.config.settings import Path, spell, takes_reload

__all__ = ["Change", "Changes", "Kind", "compare"]

Kind = Literal["added", "removed", "changed"]

#: Further ones are counted: journald divides a line of 48 KiB.
_MAX_NAMED_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, or a whole node, deployment or key. Values are left out: some are secrets.

    ``where`` names an entry of ``keys`` by its name. ``reload``: whether a running proxy applies
    the change.
    """

    where: Path
    kind: Kind
    reload: bool

    @property
    def path(self) -> str:
        """The path in the form of complaints."""
        return spell(self.where)


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes, in the order of the schema."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    @property
    def restart_keys(self) -> tuple[str, ...]:
        """Paths of the changes that need a restart to take effect."""
        return tuple(change.path for change in self.changes if not change.reload)

    def sum_up(self) -> str:
        """The changes that a running proxy applies, as one line; "" if there are none."""
        named = [f"{change.path} {change.kind}" for change in self.changes if change.reload]
        rest = len(named) - _MAX_NAMED_CHANGES
        return ", ".join(named[:_MAX_NAMED_CHANGES]) + (f" and {rest} more" if rest > 0 else "")

    def names(self, section: Literal["nodes", "deployments", "keys"], kind: Kind) -> set[str]:
        """Names in a section whose entry was added, removed, or changed in some part."""
        return {
            str(change.where[1])
            for change in self.changes
            if change.where[0] == section
            and kind == (change.kind if len(change.where) == 2 else "changed")
        }


def compare(old: Config, new: Config) -> Changes:
    return Changes(tuple(_compare((), old, new)))


def _compare(path: Path, old: Any, new: Any) -> Iterator[Change]:
    if path == ("keys",):
        old, new = ({key.name: key for key in keys} for keys in (old, new))
    if isinstance(old, Section) and type(old) is type(new) and not isinstance(old, Secret):
        for name in type(old).model_fields:
            yield from _compare((*path, name), getattr(old, name), getattr(new, name))
    elif isinstance(old, dict) and len(path) == 1:
        yield from _compare_entries(path, old, new)
    # The order of aliases has a meaning, which == between dicts ignores.
    elif old != new or (isinstance(old, dict) and list(old) != list(new)):
        yield Change(path, "changed", takes_reload(path))


def _compare_entries(
    path: Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    for name in old:
        if name not in new:
            yield Change((*path, name), "removed", True)
    for name, entry in new.items():
        if name in old:
            yield from _compare((*path, name), old[name], entry)
        else:
            yield Change((*path, name), "added", True)
