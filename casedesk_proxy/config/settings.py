"""The map of all settings, made from the schema: what is allowed where, and what a reload applies.

A *path* is the sequence of names and indices to a place in a file, such as ``("nodes", "gpu0",
"url")``; a *pattern* is the same with ``*`` for chosen names and indices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from casedesk_proxy.config.schema import Config

__all__ = [
    "Path",
    "Pattern",
    "all_patterns",
    "find_field",
    "looks_secret",
    "section_at",
    "show",
    "spell",
    "takes_reload",
]

Path = tuple[str | int, ...]
Pattern = tuple[str, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


#: The beginnings of providers' keys, and of our own.
_PREFIXED = re.compile(
    r"(?:sk|pk|rk|r8|cdp|hf|gsk|tgp|xai|nvapi|fw|pplx|gh[a-z]|github_pat|glpat|xox[a-z]|key|token)"
    r"[-_][\w.-]{8,}|AIza[\w-]{10,}|AKIA\w{8,}|ya29\.\S+|eyJ[\w-]+\.\S+|bearer\s+\S+",
    re.IGNORECASE | re.ASCII,
)
#: Such a run of letters and digits is not a word; names of models have shorter ones.
_RANDOM = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}", re.ASCII)


def looks_secret(text: str) -> bool:
    """Whether a text in the wrong place may be a key. A guess: names of nodes and models do not
    look like keys."""
    return bool(_PREFIXED.search(text) or _RANDOM.search(text))


def show(text: str) -> str:
    """A text of the file in the form for complaints: short, and without a secret."""
    return "***" if looks_secret(text) else _shorten(text)


def spell(path: Sequence[str | int]) -> str:
    """The path for people: ``keys[1].sha256``, ``nodes["a.b"].url``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part) and not looks_secret(part):
            text += f".{part}" if text else part
        else:
            text += f"[{show(part)!r}]" if text else repr(show(part))
    return text


def section_at(path: Path) -> type[BaseModel] | None:
    """The section (a pydantic model) whose settings are below this path."""
    found = _annotation_at(path)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def find_field(path: Path) -> FieldInfo | None:
    """The innermost setting of the schema at or above this path."""
    for end in range(len(path), 0, -1):
        section, name = section_at(path[: end - 1]), path[end - 1]
        if section is not None and isinstance(name, str) and name in section.model_fields:
            return section.model_fields[name]
    return None


def takes_reload(path: Path) -> bool:
    """Whether a running proxy applies a change at this path."""
    field = find_field(path)
    extra = field.json_schema_extra if field is not None else None
    return bool(extra.get("reload", True)) if isinstance(extra, dict) else True


def all_patterns() -> Iterator[Pattern]:
    """Every setting of the schema, sections included, depth first in the schema's order."""
    yield from _patterns_below(Config, ())


def _patterns_below(section: type[BaseModel], start: Pattern) -> Iterator[Pattern]:
    for name, field in section.model_fields.items():
        pattern = (*start, name)
        yield pattern
        below = _bare(field.annotation)
        if _element(below) is not None:
            pattern, below = (*pattern, "*"), _element(below)
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from _patterns_below(below, pattern)


def _annotation_at(path: Path) -> Any:
    here: Any = Config
    for part in path:
        element = _element(here)
        if element is not None:
            here = element
        elif isinstance(here, type) and issubclass(here, BaseModel) and part in here.model_fields:
            here = _bare(here.model_fields[str(part)].annotation)
        else:
            return None
    return here


def _element(annotation: Any) -> Any:
    """The type of a mapping's or list's elements in the schema; None for other types."""
    if get_origin(annotation) not in (dict, tuple):
        return None
    arguments = get_args(annotation)
    return _bare(arguments[1] if get_origin(annotation) is dict else arguments[0])


def _bare(annotation: Any) -> Any:
    """Without Annotated and without ``| None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif NoneType in get_args(annotation):
            annotation = next(one for one in get_args(annotation) if one is not NoneType)
        else:
            return annotation


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
