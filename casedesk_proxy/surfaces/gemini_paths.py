"""A Gemini path after its version: which model, which action, or which list.

The model ends at the last colon of the *raw* path, where ``%3A`` counts as a colon, and is then
percent-decoded once. ``models/`` may be missing, doubled, or inside Vertex's forms.
"""

from __future__ import annotations

from casedesk_proxy.errors import BadRequest, ClientFault
from casedesk_proxy.surfaces.request_target import decode
from casedesk_proxy.surfaces.unserved_paths import (
    GEMINI_ACTIONS,
    no_path,
    unserved,
    unserved_action,
)
from casedesk_proxy.terms import Action, RawHeaders
from casedesk_proxy.wire.model_names import plain_name
from casedesk_proxy.wire.query import read_pairs
from casedesk_proxy.wording import quoted

__all__ = ["asks_for_sse", "read_resource", "wrong_method"]

_NOT_HERE = "not served on the gemini surface"
#: As a path contains one.
_COLONS = (":", "%3a", "%3A")


def read_resource(
    method: str, rest: str, deployment: str | None = None
) -> tuple[Action, str | None]:
    """Action and model name; the name is None for the list. Does not judge the method, but uses it
    to guess what a path without a known action means.

    Raises BadRequest for an unknown or missing action, NotFound for a path that is not served.
    """
    if not rest or unserved(rest) is not None:
        raise no_path(rest, _NOT_HERE, deployment)
    raw_model, raw_action = _cut_action(rest)
    action = GEMINI_ACTIONS.get(raw_action or "")
    if action is not None:
        model = plain_name(decode(raw_model))
        if not model:
            raise BadRequest("the path contains no model; use models/{model}", code="invalid_path")
        return action, model
    model = plain_name(decode(rest))
    if model in ("", "tunedModels"):
        return Action.LIST_MODELS, None
    if method == "POST":
        raise _no_action(rest, raw_action, deployment)
    return Action.GET_MODEL, model


def wrong_method(allowed: str) -> BadRequest:
    error = BadRequest(
        f"this method is not allowed here; allowed: {allowed}",
        status=405,
        code="method_not_allowed",
    )
    error.allow = allowed
    return error


def asks_for_sse(query: str, headers: RawHeaders) -> bool:
    """Whether the client asks for SSE rather than an array, by ``alt`` or by Accept."""
    if query == "alt=sse":
        return True
    for name, value in read_pairs(query):
        if name in ("alt", "$alt") and value.partition(";")[0].strip().lower() == "sse":
            return True
    return any(
        name.lower() == b"accept" and b"text/event-stream" in value.lower()
        for name, value in headers
    )


def _cut_action(rest: str) -> tuple[str, str | None]:
    """Split at the last colon, raw or encoded; the action is None without one."""
    at, colon = max((rest.rfind(colon), colon) for colon in _COLONS)
    return (rest[:at], rest[at + len(colon) :]) if at >= 0 else (rest, None)


def _no_action(rest: str, raw_action: str | None, deployment: str | None) -> ClientFault:
    known = ", ".join(GEMINI_ACTIONS)
    if raw_action is not None:
        api = unserved_action(raw_action)
        message = f"unknown action {quoted(raw_action)}"
        if api is not None:
            message = f"action {quoted(raw_action)} is not served here: it belongs to {api}"
        return BadRequest(f"{message}; known actions: {known}", code="unknown_action")
    if not rest.startswith(("models/", "tunedModels/")):
        return no_path(rest, _NOT_HERE, deployment)
    return BadRequest(
        f"the path has no action; call models/{{model}}:{{action}} with one of: {known}",
        code="unknown_action",
    )
