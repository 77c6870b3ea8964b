"""``docs/compatibility.md``: every route and every field of every API, and what happens to it."""

from __future__ import annotations

from collections.abc import Iterator

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField, Messages
from casedesk_proxy.openapi.documents import list_unserved
from casedesk_proxy.openapi.field_tables import FIELDS
from casedesk_proxy.openapi.surface_operations import list_operations
from casedesk_proxy.surfaces.unserved_paths import GEMINI_APIS
from casedesk_proxy.terms import Dialect

__all__ = ["write_reference"]

_HEAD = """# Compatibility

Every route that is served, every field of a request that is known, and what happens to it. Written
by `make compatibility` from the tables that the code reads; `tests/openapi/test_reference.py` keeps
it true. The same as OpenAPI documents: `casedesk-proxy openapi gemini`.

Where a node speaks the protocol of its client, it gets the body as it came, but for the name of the
model. Where it speaks another one, a field is

| word | meaning |
|---|---|
| mapped | it reaches the node in the node's own words, or decides what does |
| ignored | it means nothing to a node, and leaving it out loses nothing |
| left out | it is left out, and the reply's header `x-casedesk-dropped` names it |
| refused | leaving it out would change the reply: 400, which names its place |
| passed on | the node gets it as it is, always |

What an engine can take of what is mapped is in [engines.md](engines.md): what this one node cannot
do is refused or left out by name, too.

A field that names a file which was uploaded here is mapped, on every node: the file's contents take
its place before the request is translated. So is one that names an address, where the deployment
fetches it (`fetch_urls`). Below stands what happens to all others.
"""
_TITLES = {
    Dialect.GEMINI: "Gemini",
    Dialect.ANTHROPIC: "Anthropic",
    Dialect.OPENAI: "OpenAI: chat, completions, embeddings",
    Dialect.RESPONSES: "OpenAI: Responses",
    Dialect.OLLAMA: "Ollama",
}
_UNKNOWN = {
    Dialect.GEMINI: (
        "A field that is not listed is refused in Google's words, or left out with `unknown_fields:"
        " ignore`. Each may be written in snake_case, too."
    ),
    Dialect.ANTHROPIC: "A field that is not listed is ignored.",
    Dialect.OPENAI: "A field that is not listed is passed on.",
    Dialect.RESPONSES: (
        "A field of the request that is not listed is left out with a warning; inside of an object,"
        " it is ignored."
    ),
    Dialect.OLLAMA: "A field that is not listed is passed on.",
}


def write_reference() -> str:
    parts = [_HEAD]
    for surface, title in _TITLES.items():
        parts.append(f"## {title}\n")
        if surface is not Dialect.RESPONSES:
            parts += [_routes(surface), _unserved(surface)]
        parts += [f"### Fields\n\n{_UNKNOWN[surface]}\n", *_messages(FIELDS[surface])]
    return "\n".join(part for part in parts if part)


def _routes(surface: Dialect) -> str:
    rows = [f"| {one.method} | `{one.path}` | {one.summary} |" for one in list_operations(surface)]
    return "\n".join(("| method | path | |", "|---|---|---|", *rows, ""))


def _unserved(surface: Dialect) -> str:
    """For Ollama no unserved API is known."""
    rows = [
        f"| {_code(one.paths)} | {one.name} | {one.remedy} |"
        for one in list_unserved(surface)
        if surface is not Dialect.OLLAMA
    ]
    if surface is Dialect.GEMINI:
        rows += [f"| `…:{word}` | {api} | |" for word, api in GEMINI_APIS.items()]
    if not rows:
        return ""
    head = ("Not served:\n", "| paths | API | instead |", "|---|---|---|")
    return "\n".join((*head, *rows, ""))


def _messages(messages: Messages) -> Iterator[str]:
    for name, fields in messages.items():
        rows = (_row(field, known) for field, known in fields.items())
        yield "\n".join((f"#### {name}\n", "| field | type | | |", "|---|---|---|---|", *rows, ""))


def _row(name: str, known: KnownField) -> str:
    fate = known.fate.value if known.fate is not Fate.REFUSED else f"**{known.fate.value}**"
    return f"| `{name}` | {_type(known)} | {fate} | {known.why} |"


def _type(known: KnownField) -> str:
    if known.values:
        return ", ".join(f"`{value}`" for value in known.values)
    return known.kind.replace("|", " or ")


def _code(paths: str) -> str:
    return f"`{paths}`".replace("|", r"\|")
