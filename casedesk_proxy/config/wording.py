"""Messages and remedies for the errors that pydantic found.

Values are repeated only if they cannot be secrets.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from casedesk_proxy.config.engines import OTHER_NAMES
from casedesk_proxy.config.nodes import Node
from casedesk_proxy.config.schema import Key, Secret
from casedesk_proxy.config.settings import (
    Path,
    Pattern,
    all_patterns,
    find_field,
    looks_secret,
    section_at,
    show,
)

__all__ = ["KEY_NAMES", "is_secret", "nearest", "word"]

#: What people write in place of a key's ``sha256``.
KEY_NAMES = frozenset({"token", "key", "api_key", "secret", "value", "hash", "sha", "password"})
_HASH = (
    "write sha256: HASH; `casedesk-proxy key new --yaml` creates one and prints the lines to paste"
)

#: Settings whose value in the file may be a secret, or be mistaken for one.
_SECRET_KEYS = ("api_key", "sha256", "access_key", "secret_key")
#: What people write for a choice that has another name here.
_OTHER_NAMES = {**OTHER_NAMES, "off": "none"}
_PLACES = "write {env: VARIABLE}, {file: /path} or {credential: NAME}"
_SPACE = "put a space after the colon between name and value"
#: ``name:value`` in one or several lines, which YAML reads as one text.
_GLUED = re.compile(r"[^\s:]+:\S+(?: [^\s:]+:\S+)*")
_ANY_SERVER = "for any other server with OpenAI's API write openai"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    by_form = {one.lower().replace("-", "_"): one for one in known}
    found = difflib.get_close_matches(name.lower().replace("-", "_"), by_form, n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def is_secret(path: Path) -> bool:
    return any(part in _SECRET_KEYS for part in path)


def word(kind: str, path: Path, value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    """Message and remedy for pydantic's error type ``kind`` at ``path``, where ``value`` was."""
    if kind == "complaint":
        return context["message"], context["remedy"]
    if kind == "extra_forbidden":
        return _word_unknown(path)
    if kind == "missing":
        field = find_field(path)
        return "is missing", f"add it: {(field.description or '').rstrip('.')}" if field else ""
    if kind in ("literal_error", "enum"):
        return _word_choice(path, value, context)
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        least = "least" if kind == "greater_than_equal" else "most"
        return f"must be at {least} {bound}", ""
    if kind == "string_pattern_mismatch":
        return "is not the name of a credential", "use letters, digits and _ . @ -, no path"
    if kind == "int_type":
        return f"is {_name_kind(value)}, but must be a whole number", _unquote(value)
    if kind == "string_type":
        return _word_text(path, value)
    return _word_collection(kind, path, value)


def _word_collection(kind: str, path: Path, value: Any) -> tuple[str, str]:
    """The message and the remedy for a value that should be a list or mapping."""
    listed = kind == "tuple_type"
    wanted = "a list" if listed else "a mapping (key: value lines)"
    message = f"is {_name_kind(value)}, but must be {wanted}"
    if section_at(path) is Secret:
        return message, _PLACES
    if value is None:
        none = "[]" if listed else "{}"
        return message, f"write {none} for none, or leave it out" if _may_be_none(path) else ""
    if not isinstance(value, str) or is_secret(path):
        return message, ""
    if not listed:
        section = section_at(path)
        if section is not None and path[-1] in section.model_fields:
            return message, "indent it below the name that it belongs to"
        if re.match("https?://", value):
            return message, "write it as url: below the name" if section is Node else ""
        return message, _SPACE if _GLUED.fullmatch(value) else ""
    if re.match(r"-\S", value):
        return message, "put a space after each -"
    short = len(value) <= 60 and not looks_secret(value)
    return message, f"write [{value}]" if short else "put it in brackets"


def _may_be_none(path: Path) -> bool:
    field = find_field(path)
    needed = path in (("nodes",), ("deployments",))
    return field is not None and not needed and section_at(path) is None


def _word_unknown(path: Path) -> tuple[str, str]:
    name, section = str(path[-1]), section_at(path[:-1])
    known = list(section.model_fields) if section else []
    if section is Secret:
        known.remove("inline")  # accepted, not recommended
    if section is Key and name.lower() in KEY_NAMES:
        return "unknown setting; the file holds only the key's hash", _HASH
    meant = nearest(name, known)
    if meant is not None:
        return "unknown setting", f"did you mean {meant}?"
    for pattern in all_patterns():
        if pattern[-1] == name.lower().replace("-", "_"):
            return "unknown setting here", f"it belongs at {_spell_pattern(pattern)}"
    return "unknown setting", f"known settings here: {', '.join(known)}"


def _spell_pattern(pattern: Pattern) -> str:
    return ".".join("NAME" if part == "*" else part for part in pattern)


def _word_choice(path: Path, value: Any, context: Mapping[str, Any]) -> tuple[str, str]:
    choices = [one.strip("' ") for one in context["expected"].replace(" or ", ",").split(",")]
    message = f"must be one of {', '.join(choices)}"
    if not isinstance(value, str):
        return f"is {_name_kind(value)}; it {message}", ""
    meant = _OTHER_NAMES.get(value.lower()) or nearest(value, choices)
    meant = meant if meant in choices else None
    remedy = f"did you mean {meant}?" if meant else ""
    if not meant and path[-1:] == ("engine",):
        remedy = _ANY_SERVER
    return message, remedy


def _word_text(path: Path, value: Any) -> tuple[str, str]:
    message = f"is {_name_kind(value)}, but must be text"
    if value is None:
        key = path[-1] if path else ""
        if isinstance(key, str) and ":" in key and not is_secret(path):
            return message, _SPACE
        return message, "write a value, or leave it out"
    if isinstance(value, bool):
        return message, _word_truth(path, value)
    if isinstance(value, int | float):
        if path[-1] in ("listen", "admin"):
            return message, f"write 127.0.0.1:{value}"
        return message, "put it in quotes" + ("" if is_secret(path) else _show(value))
    if isinstance(value, dict) and path[-2:-1] == ("nodes",):
        return message, "define the node under nodes, at the top level, and write its name here"
    if isinstance(value, dict) and len(value) == 1 and not is_secret(path):
        name, rest = next(iter(value.items()))
        if isinstance(rest, str | int | float) and not isinstance(rest, bool):
            return message, f'no space may follow the colon of a name: "{show(f"{name}:{rest}")}"'
    return message, ""


def _show(value: float) -> str:
    # A float may have been written in another form (1.10); a whole number may not.
    return f': "{value}"' if isinstance(value, int) else ""


def _word_truth(path: Path, value: bool) -> str:
    field = find_field(path)
    if not value and field is not None and field.default is None:
        return "write null, or leave it out, for none"
    if not value and path[-1:] == ("admin",):
        return "write null for none"
    return "put it in quotes if it is a name"


def _name_kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true to YAML (as yes, on)" if value else "false to YAML (as no, off)"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _unquote(value: Any) -> str:
    return "remove the quotes" if isinstance(value, str) and value.isdigit() else ""
