"""An operation of an API, before it is written as OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "FORM",
    "JSON",
    "LINES",
    "SSE",
    "TEXT",
    "Operation",
    "Parameter",
    "anthropic_pages",
    "gemini_pages",
]

JSON = "application/json"
FORM = "multipart/form-data"
SSE = "text/event-stream"
#: A JSON document a line.
LINES = "application/x-ndjson"
TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class Parameter:
    """``where`` is path, query or header; ``kind`` a type of JSON Schema; ``values`` are all
    allowed values."""

    name: str
    where: str
    summary: str
    kind: str = "string"
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """``action`` is its name in the code, unique in its document. ``body`` names the message of a
    request, None if it has none, and ``takes`` are the types of that body; ``sends`` those of the
    reply, whose status is ``status``. ``path`` is a template."""

    method: str
    path: str
    action: str
    summary: str
    tag: str
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    takes: tuple[str, ...] = (JSON,)
    sends: tuple[str, ...] = (JSON,)
    status: int = 200


def gemini_pages(what: str) -> tuple[Parameter, ...]:
    """The parameters for a list's pages."""
    return (
        Parameter("pageSize", "query", f"{what.capitalize()}s on a page.", "integer"),
        Parameter("pageToken", "query", "`nextPageToken` of the previous page."),
    )


def anthropic_pages(what: str) -> tuple[Parameter, ...]:
    return (
        Parameter("limit", "query", f"{what.capitalize()}s on a page.", "integer"),
        Parameter("after_id", "query", f"The last {what} of the previous page."),
        Parameter("before_id", "query", f"The first {what} of the next page."),
    )
