"""What an operation of an API is, before it is written as OpenAPI."""

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
    """``where`` is path, query or header; ``kind`` a type of JSON Schema; ``values`` are all that
    it may be."""

    name: str
    where: str
    summary: str
    kind: str = "string"
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """``action`` is what the code calls it, unique in its document. ``body`` names the message that
    a request holds, None where it has none, and ``takes`` are the types of that body; ``sends``
    those of the reply, which has the status ``status``. ``path`` is a template."""

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
    """How a list of such things is asked for page by page."""
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
