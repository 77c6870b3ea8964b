"""Names of fields that differ from a known name only in case.

JSON's names are exact, but programs in Go (Ollama, LocalAI) accept a field in any case, and use the
last of several: ``{"model": "a", "Model": "b"}`` asks them for ``b``. The proxy and such a node
would read two different requests, so the request is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from casedesk_proxy.config.parameter_fields import OWN, PROTECTED
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.terms import Dialect

__all__ = ["KNOWN_NAMES", "refuse_other_case", "refuse_other_names"]

#: The names in protocols; in inference paths, which are on OpenAI's surface; and names that the
#: proxy reads but that are not parameters. Gemini's names have capitals, and its nodes are exact.
_SECTIONS = ("anthropic", "openai", "responses", "ollama", "images", "transcriptions")
_READ = frozenset({"mcp_servers", "name", "tools"})
#: Names with a meaning in one of the protocols, at the outermost level.
KNOWN_NAMES = _READ | frozenset(
    name.partition(".")[0]
    for section in _SECTIONS
    for names in (OWN[section], PROTECTED[section])
    for name in names
)


def refuse_other_names(surface: Dialect, body: dict[str, Any]) -> None:
    """Raises BadRequest for a field of a body that a node may mistake for a known one."""
    names = "".join(body)
    if not (names.islower() and names.isascii()) and surface is not Dialect.GEMINI:
        _refuse(body, KNOWN_NAMES, "")


def refuse_other_case(holder: dict[str, Any], known: Collection[str], path: str = "") -> None:
    """The same for an object at ``path``, whose ``known`` names have a meaning."""
    names = "".join(holder)
    if not (names.islower() and names.isascii()):
        _refuse(holder, known, f"{path}." if path else "")


def _refuse(names: Iterable[str], known: Collection[str], path: str) -> None:
    for name in names:
        meant = name.casefold()  # Go compares so: the Kelvin sign equals k, a long s equals s.
        if name not in known and meant in known:
            shown = f"{path}{name}".encode("utf-8", "replace").decode()[:200]
            message = f"some nodes would take it for {meant}; write {path}{meant}"
            raise BadRequest.about(shown, message)
