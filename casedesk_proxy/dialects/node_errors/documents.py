"""Errors as nodes write them: as the body of an HTTP error, or inside a reply of status 200.

Seen: ``{"error": {"message", "type", "code"}}`` (OpenAI's; vLLM's ``code`` is a status), the same
without a wrapper, with ``"object": "error"`` (vLLM of 2025, SGLang) or without (llama-server's
event), ``{"error": "text"}`` (Ollama; TGI adds ``error_type``), ``{"detail": …}`` with a text, a
list of faults or an object (FastAPI), Google's with ``status``, alone in a list.
"""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy.errors import NodeError
from casedesk_proxy.jsonio import JSONError, loads

__all__ = ["is_error", "own_words", "raise_error", "read_document", "reason_of", "status_of"]

#: How many bytes are read of a body that is not an error of a known form.
_MAX_PLAIN_BYTES = 200
_STATUSES = ("code", "status", "status_code", "statusCode", "StatusCode", "http_code")
_KINDS = ("type", "code", "status", "error_type")
#: Kinds of errors and their status, ignoring case and everything but letters; the first kind that
#: is a part of the node's word counts.
_KNOWN = (
    ("contextlength", 400),
    ("exceedcontext", 400),
    ("badrequest", 400),
    ("invalidrequest", 400),
    ("invalidargument", 400),
    ("validation", 400),
    ("unprocessable", 400),
    ("valueerror", 400),
    ("authentication", 401),
    ("unauthenticated", 401),
    ("unauthorized", 401),
    ("invalidapikey", 401),
    ("billing", 402),
    ("permission", 403),
    ("forbidden", 403),
    ("notfound", 404),
    ("toolarge", 413),
    ("ratelimit", 429),
    ("resourceexhausted", 429),
    ("overloaded", 529),
    ("unavailable", 503),
    ("timeout", 504),
    ("deadline", 504),
    ("notsupported", 501),
    ("unimplemented", 501),
)
#: A quoted text, but not an apostrophe.
_QUOTED = re.compile(r"(?<!\w)(['\"`])(?!\1)(.{1,2000}?)\1(?!\w)", re.DOTALL)
#: What nodes themselves quote: names of fields, and other errors, which have numbers.
_THEIRS = re.compile(
    r"(?:messages|inputs?|max_\w{0,20}tokens|(?:\w{1,20}\.)?(?:reasoning|thinking|effort|budget_tokens"
    r"|reasoning_effort|thinking(?:_token)?_budget(?:_tokens)?|chat_template_kwargs|enable_thinking))\Z"
    r"|.*\d{3}",
    re.DOTALL,
)
_NO_LETTERS = re.compile(r"[^a-z]")
_FAILED_STATUS = 500


def raise_error(document: dict[str, Any], body: bytes) -> None:
    """Raises NodeError if a reply's object is an error. ``body``: the object's JSON."""
    if is_error(document):
        raise NodeError(status_of(document), body)


def is_error(document: dict[str, Any]) -> bool:
    """Whether a reply's object is an error rather than a part of an answer: a response of OpenAI's
    that failed contains its error."""
    if document.get("object") == "response":
        return False
    if document.get("error") or document.get("object") == "error":
        return True
    if "choices" in document:
        return False
    if document.get("detail"):
        return True
    flat = isinstance(document.get("message"), str)
    return flat and any(name in document for name in (*_STATUSES, "type"))


def read_document(body: bytes) -> Any:
    """A body, as JSON or as the beginning of a text."""
    try:
        document = loads(body)
    except JSONError:
        return body[:_MAX_PLAIN_BYTES].decode("utf-8", "replace")
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    return document


def _details_of(document: Any) -> list[dict[str, Any]]:
    """The objects that describe an error, the innermost first."""
    found: list[dict[str, Any]] = []
    while isinstance(document, dict) and len(found) < 4:
        found.insert(0, document)
        document = document.get("error") or document.get("detail")
    return found


def reason_of(document: Any) -> str:
    """The node's own words, from any of the places where engines put them; "" if there are none."""
    if isinstance(document, str):
        return document
    for place in _details_of(document):
        for name in ("message", "error", "detail", "msg"):
            value = place.get(name)
            if isinstance(value, list):
                faults = [one for one in value if isinstance(one, dict)]
                texts = [one.get("msg") or one.get("message") for one in faults]
                value = "; ".join(text for text in texts if isinstance(text, str))
            if isinstance(value, str) and value:
                return value
    return ""


def own_words(reason: str) -> str:
    """A reason without what it quotes: quoted function names and texts are the client's, and do not
    show what the node means."""
    return _QUOTED.sub(lambda found: found[0] if _THEIRS.match(found[2]) else "…", reason)


def status_of(document: Any) -> int:
    """The HTTP status that an error inside a reply would have had."""
    places = _details_of(document)
    for place in places:
        for name in _STATUSES:
            status = place.get(name)
            if isinstance(status, str) and re.fullmatch(r"[45]\d\d", status):
                status = int(status)
            if type(status) is int and 400 <= status <= 599:
                return status
    for place in places:
        for name in _KINDS:
            word = place.get(name)
            if isinstance(word, str):
                word = _NO_LETTERS.sub("", word[:100].lower())
                for known, status in _KNOWN:
                    if known in word:
                        return status
        if isinstance(place.get("detail"), list):
            return 422
    return _FAILED_STATUS
