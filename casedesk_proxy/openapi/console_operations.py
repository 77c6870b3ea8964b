"""The operations of the console's JSON API, which both listeners have; a test compares them with
its routes."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.dialects.core.known_fields import KnownField, Messages
from casedesk_proxy.openapi.operations import JSON, SSE, Operation, Parameter

__all__ = ["CONSOLE_MESSAGES", "CONSOLE_OPERATIONS", "repeat_in_console"]

PREFIX = "/console/api"
_TAG = "Console"
_STREAM = Parameter("id", "path", "The id of a request.", required=True)
_FIND = (
    Parameter("find", "query", "Words that a request has: of its key, model, node, state or id."),
    Parameter("sort", "query", "age, or another column's name."),
    Parameter("order", "query", "ascending or descending."),
    Parameter("skip", "query", "How many of the first are left out.", "integer"),
)
_DAYS = Parameter("days", "query", "How many days back.", "integer")

CONSOLE_OPERATIONS = (
    Operation("GET", f"{PREFIX}/session", "session.get", "Show who is signed in", _TAG),
    Operation(
        "POST", f"{PREFIX}/session", "session.new", "Sign in, with a key or a password", _TAG,
        body="SignIn",
    ),
    Operation("DELETE", f"{PREFIX}/session", "session.end", "Sign out", _TAG, sends=(), status=204),
    Operation(
        "GET", f"{PREFIX}/deployments", "deployments.list", "List what the caller may use", _TAG
    ),
    Operation("GET", f"{PREFIX}/status", "console.status", "Show the status", _TAG),
    Operation(
        "GET", f"{PREFIX}/events", "console.events", "Follow the status", _TAG, sends=(SSE,)
    ),
    Operation(
        "GET", f"{PREFIX}/streams", "streams.list", "List running requests, 200 at a time", _TAG,
        _FIND,
    ),
    Operation(
        "POST", f"{PREFIX}/streams/{{id}}/cancel", "streams.cancel", "End a request", _TAG,
        (_STREAM,), status=202,
    ),
    Operation(
        "GET", f"{PREFIX}/usage", "console.usage", "Show who used what, by day", _TAG, (_DAYS,)
    ),
)  # fmt: skip

CONSOLE_MESSAGES: Messages = {
    "SignIn": {
        "key": KnownField("string", why="or name and password"),
        "name": KnownField("string"),
        "password": KnownField("string"),
    },
}


def repeat_in_console(operation: Operation) -> Operation:
    """The same operation below the console's prefix."""
    return replace(
        operation, path=f"{PREFIX}{operation.path}", action=f"console.{operation.action}", tag=_TAG,
        takes=(JSON,),
    )  # fmt: skip
