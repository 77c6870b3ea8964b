"""Settings that were renamed: files with the old names are read as before, with a warning.

A person's credential used to be called a token; now a **key** is a person's, a **token** a model's.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.config.findings import Finding
from casedesk_proxy.config.settings import Path

__all__ = ["find_old_names", "spell_old", "take_new_names"]

_OLD, _NEW = "tokens", "keys"


def take_new_names(data: dict[str, Any]) -> dict[str, Any]:
    """The file's values under today's names. ``data`` is not changed."""
    new = {name: one for name, one in data.items() if name != _OLD}
    if _OLD in data:
        new.setdefault(_NEW, data[_OLD])
    deployments = new.get("deployments")
    if isinstance(deployments, dict):
        new["deployments"] = {name: _take_new_word(one) for name, one in deployments.items()}
    return new


def find_old_names(data: dict[str, Any]) -> list[Finding]:
    """A warning for each old name in the file, with its old path."""
    found = []
    if _OLD in data and _NEW in data:
        message = f"is the old name of {_NEW}, which is set too"
        found.append(Finding((_OLD,), message, f"move its entries to {_NEW}", at_key=True))
    elif _OLD in data:
        message = f"is the old name of {_NEW}, and a later version will not accept it"
        found.append(Finding((_OLD,), message, f"write {_NEW}:", warns=True, at_key=True))
    deployments = data.get("deployments")
    for name, one in deployments.items() if isinstance(deployments, dict) else ():
        if isinstance(one, dict) and one.get("auth") == _OLD:
            message = f"{_OLD} is the old word for {_NEW}, and a later version will not accept it"
            path: Path = ("deployments", name, "auth")
            found.append(Finding(path, message, f"write auth: {_NEW}", warns=True))
    return found


def spell_old(path: Path, data: dict[str, Any]) -> Path:
    """The path in the file for a path with new names."""
    renamed = path[:1] == (_NEW,) and _NEW not in data and _OLD in data
    return (_OLD, *path[1:]) if renamed else path


def _take_new_word(deployment: Any) -> Any:
    if isinstance(deployment, dict) and deployment.get("auth") == _OLD:
        return {**deployment, "auth": _NEW}
    return deployment
