"""Decides what a node's error reply concerns: the request, or the node itself.

The status alone does not show it. What services really send (their documentation, recorded replies
and public error reports):

* 401, 402 and 407 are about the sender, which is the proxy with the node's key.
* 403 is usually the same: a key without permission, a region, a ``Host`` that Ollama does not know.
  But OpenRouter answers 403 to a prompt that its moderation flagged, and Google to a file or a
  cache that does not exist.
* 404 is a model that the node does not have (OpenAI, vLLM, Ollama, Anthropic, Google) or a path
  that it does not serve (FastAPI's ``{"detail": "Not Found"}``, llama-server's ``File Not
  Found``), unless the request names a file or the like. So are 410 (a model that was retired),
  405 and 501 (a path that it does not serve).
* 400 concerns the request, but Google sends it for a key that it refuses (API_KEY_INVALID) and for
  its owner's country, Anthropic for an account without credit or one that was closed, and LiteLLM
  and ``transformers serve`` for a model that they do not have.
* 424 is TGI's status for a generation that failed.

Words count only at the beginning of the node's message, or as its machine code: the rest may quote
the client's own text, and a client's text must not count against a node.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.dialects.node_errors.mapping import reason_of
from casedesk_proxy.pools.retry import OVERLOAD_STATUSES, RETRYABLE_STATUSES

__all__ = ["NEEDS_WORDS", "Verdict", "judge"]

#: Statuses that cannot be judged without the reply's body.
NEEDS_WORDS = frozenset({400, 403, 404, 410})


class Verdict(StrEnum):
    #: No error.
    FINE = "fine"
    #: The client must correct it: another node would answer the same.
    REQUEST = "request"
    #: The node has too much to do.
    FULL = "full"
    #: The node is not ready: loading, shutting down.
    UNAVAILABLE = "unavailable"
    #: The node failed, perhaps because of this request.
    FAILED = "failed"
    #: The node refuses the proxy's key, or its account has no permission or no credit.
    DENIED = "denied"
    #: The same for this model only.
    MODEL_DENIED = "model_denied"
    #: The node does not have the model.
    NO_MODEL = "no_model"
    #: The node does not serve such requests, or not for this model.
    NOT_OFFERED = "not_offered"


#: What requests name beside a model: Google's files, stores and caches, OpenAI's and Anthropic's
#: files, skills, containers and earlier responses.
_THINGS = re.compile(
    r"\bfile[-_ ]?id|\bfiles?/|\bfile[-_][a-z0-9]{4}|\bthe file\b|no such file object"
    r"|cached ?content|previous[_ ]response|\bresp_[a-z0-9]|\bcontainer|vector[_ ]store"
    r"|\bitem with id|\bconversation\b|\bskills?\b|file ?search ?store|\bcorpora/"
    # Google's message for anything but a model, which it names.
    r"|^requested entity was not found"
)
_FLAGGED = re.compile(r"\b(?:flagged|moderation|content[_ ](?:policy|filter)|safety)\b")
_MODEL = re.compile(r"\bmodels?\b")
_MODEL_CODES = frozenset({"model_not_found", "model_decommissioned"})
_NO_MODEL = re.compile(
    r"(?:the )?(?:requested )?model(?: name)?(?: [`'\"]?[^\s`'\"]{1,200}[`'\"]?)?"
    r" (?:was |is )?(?:not found|does not exist|not supported by any provider)"
    r"|(?:\w+: )?(?:invalid|unknown) model\b|no such model\b"
    r"|server is pinned to "
)
_DENIED = re.compile(
    r"api[ _]key (?:not valid|expired|not found)|please pass a valid api key"
    r"|your credit balance is too low|this organization has been disabled"
    r"|user location is not supported"
)
_DENIED_CODES = frozenset(
    {"api_key_invalid", "invalid_api_key", "insufficient_quota", "billing_not_active",
     "billing_hard_limit_reached", "account_deactivated"}
)  # fmt: skip
_BY_STATUS = {
    401: Verdict.DENIED,
    402: Verdict.DENIED,
    407: Verdict.DENIED,
    405: Verdict.NOT_OFFERED,
    501: Verdict.NOT_OFFERED,
    424: Verdict.FAILED,
}


def judge(status: int, body: bytes = b"") -> Verdict:
    """``body``: the part of the reply's body that has arrived; used only for NEEDS_WORDS."""
    if status < 400:
        return Verdict.FINE
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    if status in OVERLOAD_STATUSES:
        return Verdict.FULL
    if status in RETRYABLE_STATUSES:
        return Verdict.UNAVAILABLE
    if status >= 500:
        return Verdict.FAILED
    return _by_words(status, body) if status in NEEDS_WORDS else Verdict.REQUEST


def _by_words(status: int, body: bytes) -> Verdict:
    words, codes = reason_of(body).lstrip().lower(), _codes(body)
    missing = not codes.isdisjoint(_MODEL_CODES)
    if status == 400:
        if _DENIED.match(words) or not codes.isdisjoint(_DENIED_CODES):
            return Verdict.DENIED
        absent = missing or _NO_MODEL.match(words)
        return Verdict.NO_MODEL if absent else Verdict.REQUEST
    model, thing = _MODEL.search(words), _THINGS.search(words)
    # Each name may contain the other's word: the first one is the subject.
    named = missing or (model is not None and (thing is None or model.start() < thing.start()))
    if (thing is not None and not named) or (status == 403 and _FLAGGED.search(words)):
        return Verdict.REQUEST
    if status == 403:
        return Verdict.MODEL_DENIED if named else Verdict.DENIED
    return Verdict.NO_MODEL if named else Verdict.NOT_OFFERED


def _codes(body: bytes) -> frozenset[str]:
    """The machine codes of an error in OpenAI's or Google's form, in lower case."""
    try:
        document = jsonio.loads(body)
    except jsonio.JSONError:
        return frozenset()
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    return frozenset(_texts(error)) if isinstance(error, dict) else frozenset()


def _texts(error: dict[str, Any]) -> list[str]:
    details = error.get("details")
    reasons = [one.get("reason") for one in _dicts(details)]
    found = [error.get("code"), error.get("type"), *reasons]
    return [one.lower() for one in found if isinstance(one, str)]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
