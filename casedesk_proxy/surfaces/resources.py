"""A Gemini path behind its version: which model, which action, or which list.

The model ends at the last colon of the *raw* path, where ``%3A`` counts as a colon, and is
percent-decoded then, once. ``models/`` may be missing, doubled, or wrapped in Vertex's forms.
"""

from __future__ import annotations

import re

from casedesk_proxy.errors import BadRequest, ClientFault, NotFound
from casedesk_proxy.surfaces.targets import decode, shown
from casedesk_proxy.terms import Action

__all__ = ["ACTIONS", "is_files", "no_path", "read_resource", "wrong_method"]

#: What can be asked of a model, by the word behind the colon.
ACTIONS = {
    str(action): action
    for action in (
        Action.GENERATE,
        Action.STREAM_GENERATE,
        Action.EMBED,
        Action.BATCH_EMBED,
        Action.COUNT_TOKENS,
    )
}
_FILES = re.compile(r"(?:upload|files)(?:/|$)")
#: Collections of Google's API that hold no models and are not served here.
_OTHER_APIS = re.compile(
    r"(?:cachedContents|interactions|operations|batches|corpora|fileSearchStores|auth_?tokens)"
    r"(?:/|$)",
    re.IGNORECASE,
)
#: Where the three surfaces are, for whoever got a 404.
_BASES = (
    "base URLs are /proxy/DEPLOYMENT/gemini, /proxy/DEPLOYMENT/anthropic and"
    " /proxy/DEPLOYMENT/openai/v1, or without a deployment / for Gemini and Anthropic clients and"
    " /v1 for OpenAI's"
)
#: What people look for here, and where it is instead.
_ELSEWHERE = (
    (re.compile(r"^(?:healthz|readyz|status|metrics)$"), "the admin listener has it"),
    (re.compile(r"(?:^|/)responses(?:/|$)"), "of OpenAI's APIs use chat/completions"),
    (re.compile(r"^api/[a-z]+$"), "Ollama's own API is not relayed; its OpenAI one is, at /v1"),
)
_COLON = re.compile(r":|%3a", re.IGNORECASE)
#: What may stand before a model's own name. google-genai puts even a name such as
#: ``publishers/google/models/x`` behind ``models/`` (measured).
_WRAPPING = re.compile(
    r"(?:(?:models|projects/[^/]*/locations/[^/]*)(?:/|$))*"
    r"(?:publishers/([^/]*)/models(?:/|$))?(.*)",
    re.DOTALL,
)


def is_files(rest: str) -> bool:
    """Whether a path behind its mount belongs to the Files API."""
    return _FILES.match(rest) is not None


def read_resource(method: str, rest: str) -> tuple[Action, str | None]:
    """Action and model name; the name is None for the list. Judges no method, but guesses by it
    what a path without a known action was meant to be.

    Raises BadRequest for an unknown or missing action, NotFound for what is not served.
    """
    if is_files(rest):
        raise NotFound(
            "the Files API is not served here; send the bytes inline, as inlineData",
            code="files_unsupported",
        )
    if not rest or _OTHER_APIS.match(rest):
        raise no_path(rest, "not served on the gemini surface")
    raw_model, raw_action = _cut_action(rest)
    action = ACTIONS.get(raw_action or "")
    if action is not None:
        model = _plain_name(decode(raw_model))
        if not model:
            raise BadRequest("the path names no model", code="invalid_path")
        return action, model
    model = _plain_name(decode(rest))
    if model in ("", "tunedModels"):
        return Action.LIST_MODELS, None
    if method == "POST":
        raise _no_action(rest, raw_action)
    return Action.GET_MODEL, model


def no_path(rest: str, why: str = "served by no surface") -> NotFound:
    """Says what would be right: mostly it is an SDK's base URL that is wrong."""
    remedy = next((told for found, told in _ELSEWHERE if found.search(rest)), _BASES)
    return NotFound(f"{shown('/' + rest)} is {why}; {remedy}")


def wrong_method(allowed: str) -> BadRequest:
    error = BadRequest(
        f"this method is not allowed here; allowed: {allowed}",
        status=405,
        code="method_not_allowed",
    )
    error.allow = allowed
    return error


def _cut_action(rest: str) -> tuple[str, str | None]:
    """Split at the last colon, raw or encoded; the action is None without one."""
    if "%" not in rest:
        model, colon, action = rest.rpartition(":")
        return (model, action) if colon else (rest, None)
    colons = list(_COLON.finditer(rest))
    if not colons:
        return rest, None
    return rest[: colons[-1].start()], rest[colons[-1].end() :]


def _plain_name(name: str) -> str:
    """A model's name without what collections and Vertex put before it.

    Google as a publisher says nothing: Vertex clients put it before every plain name. Any other
    publisher is the first half of a name such as ``meta/llama3.1:8b`` (measured).
    """
    match = _WRAPPING.fullmatch(name)
    assert match is not None, "the pattern takes any text"
    publisher, plain = match[1], match[2]
    return f"{publisher}/{plain}" if plain and publisher not in (None, "", "google") else plain


def _no_action(rest: str, raw_action: str | None) -> ClientFault:
    known = ", ".join(ACTIONS)
    if raw_action is not None:
        return BadRequest(
            f"unknown action {shown(raw_action)}; known are {known}", code="unknown_action"
        )
    if not rest.startswith(("models/", "tunedModels/")):
        return no_path(rest, "not served on the gemini surface")
    return BadRequest(
        "the path ends without an action; a model is called as models/{model}:{action}, "
        f"actions are {known}",
        code="unknown_action",
    )
