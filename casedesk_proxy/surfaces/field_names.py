"""Names of fields that differ from a known one in case alone.

JSON's names are exact, but programs in Go (Ollama, LocalAI) take a field in any case, and of
several the last one: ``{"model": "a", "Model": "b"}`` asks them for ``b``. What we read there and
what such a node reads would be two requests, so that one is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from casedesk_proxy.config.parameter_fields import OWN, PROTECTED
from casedesk_proxy.errors import BadRequest, Violation
from casedesk_proxy.terms import Dialect

__all__ = ["refuse_other_case", "refuse_other_names"]

#: Inference paths have theirs on OpenAI's surface. Gemini's names have capitals, and its nodes are
#: exact.
_SECTIONS: dict[Dialect, tuple[str, ...]] = {
    Dialect.ANTHROPIC: ("anthropic",),
    Dialect.OPENAI: ("openai", "images", "transcriptions"),
    Dialect.RESPONSES: ("responses",),
    Dialect.OLLAMA: ("ollama",),
}
#: Those that are read here and are nobody's parameters.
_READ = frozenset({"mcp_servers", "name", "tools"})
_KNOWN = {
    dialect: frozenset(
        name.partition(".")[0]
        for section in sections
        for names in (OWN[section], PROTECTED[section], _READ)
        for name in names
    )
    for dialect, sections in _SECTIONS.items()
}


def refuse_other_names(surface: Dialect, body: dict[str, Any]) -> None:
    """Raises BadRequest for a field of a body that a node may take for one that is known of the
    protocol."""
    names = "".join(body)
    if not (names.islower() and names.isascii()) and surface in _KNOWN:
        _refuse(body, _KNOWN[surface], "")


def refuse_other_case(holder: dict[str, Any], known: Collection[str], path: str = "") -> None:
    """The same for an object at ``path``, of which ``known`` names have a meaning."""
    names = "".join(holder)
    if not (names.islower() and names.isascii()):
        _refuse(holder, known, f"{path}." if path else "")


def _refuse(names: Iterable[str], known: Collection[str], path: str) -> None:
    for name in names:
        meant = name.casefold()  # As Go compares: the Kelvin sign is a k, a long s an s.
        if name not in known and meant in known:
            shown = f"{path}{name}".encode("utf-8", "replace").decode()[:200]
            message = f"some nodes would take it for {meant}; write {path}{meant}"
            raise BadRequest(f"{shown}: {message}", violations=(Violation(shown, message),))
