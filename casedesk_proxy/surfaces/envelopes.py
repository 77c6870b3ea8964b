"""What a surface sends when the proxy itself answers: errors, model lists, one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.errors import BadRequest, LimitReached, ProxyError
from casedesk_proxy.surfaces import anthropic, gemini, ollama, openai
from casedesk_proxy.surfaces.limits import limit_headers
from casedesk_proxy.surfaces.retry_after import error_pause
from casedesk_proxy.surfaces.unserved_paths import base_url
from casedesk_proxy.terms import Action, Call, Dialect, ModelInfo, RawHeaders

__all__ = ["OwnReply", "base_reply", "error_reply", "json_reply", "list_reply", "model_reply"]

#: The content type as Google spells it; only Google's SDKs ignore the type.
_CONTENT_TYPE = {
    Dialect.GEMINI: b"application/json; charset=UTF-8",
    Dialect.ANTHROPIC: b"application/json",
    Dialect.OPENAI: b"application/json",
    Dialect.RESPONSES: b"application/json",
    Dialect.OLLAMA: b"application/json; charset=utf-8",
}
_PLAIN = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff"))
_ERRORS = {
    Dialect.GEMINI: (gemini.http_status, gemini.error_body),
    Dialect.ANTHROPIC: (anthropic.http_status, anthropic.error_body),
    Dialect.OPENAI: (openai.http_status, openai.error_body),
    Dialect.RESPONSES: (openai.http_status, openai.error_body),
    Dialect.OLLAMA: (ollama.http_status, ollama.error_body),
}
#: Statuses that clients repeat although that cannot help: 501 by every SDK of OpenAI's family, 401
#: by Claude Code (2.1.329). SDKs made with Stainless obey the header with every status; it is the
#: only way to prevent repeats of a 5xx, all of which they repeat (anthropic 2.14 and openai 3.57:
#: `_should_retry`). So errors that are not ``repeatable`` have it too. Google's SDKs repeat nothing
#: by default; if told to, google-genai 3.6 repeats 408, 429 and 500 to 504; gemini-cli repeats
#: every 5xx, and no header prevents that.
_NEVER_RETRY = frozenset({401, 501})


@dataclass(frozen=True, slots=True)
class OwnReply:
    """A whole reply. The server adds the headers of every reply: x-request-id, length,
    connection."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def error_reply(surface: Dialect, error: ProxyError, request_id: str) -> OwnReply:
    """An error in the form of the surface's clients, with its headers."""
    status_of, body_of = _ERRORS[surface]
    status = status_of(error)
    headers = [(b"content-type", _CONTENT_TYPE[surface])]
    if surface is Dialect.ANTHROPIC:
        headers.append((b"request-id", request_id.encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, BadRequest) and error.allow:
        headers.append((b"allow", error.allow.encode()))
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error_pause(error)))
    if isinstance(error, LimitReached):
        headers += limit_headers(surface, (error.standing,), error.at)
    if status in _NEVER_RETRY or not error.repeatable:
        headers.append((b"x-should-retry", b"false"))
    return OwnReply(status, tuple(headers), body_of(error, request_id))


def json_reply(surface: Dialect, body: bytes, headers: RawHeaders = ()) -> OwnReply:
    """A document of ours in the form of the surface's clients."""
    return OwnReply(200, ((b"content-type", _CONTENT_TYPE[surface]), *headers), body)


def base_reply(call: Call) -> OwnReply:
    """The reply at a base URL, for health checkers and people. It is the same for every client, and
    whether the deployment exists or not."""
    mounts = (Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI, Dialect.OLLAMA)
    urls = [base_url(surface, call.deployment) for surface in mounts]
    names = "{} (Gemini), {} (Anthropic), {} (OpenAI), {} (Ollama)".format(*urls)
    text = f"CaseDesk Proxy; base URLs: {names}\n"
    return OwnReply(200, _PLAIN, text.encode("utf-8", "replace"))


def list_reply(call: Call, models: Sequence[ModelInfo]) -> dict[str, Any]:
    """The list that ``call`` asks for. Raises BadRequest for its paging parameters.

    The bare ``/v1/models`` without a header that identifies the client serves two kinds of clients
    at once: OpenAI's list with Gemini's array beside it.
    """
    assert call.action is Action.LIST_MODELS
    if call.surface is Dialect.GEMINI:
        return gemini.list_models(models, call.query)
    if call.surface is Dialect.ANTHROPIC:
        return anthropic.list_models(models, call.query)
    reply = openai.list_models(models)
    if call.deployment is None:
        reply["models"] = [gemini.show_model(model) for model in models]
    return reply


def model_reply(surface: Dialect, model: ModelInfo) -> dict[str, Any]:
    """One model in the surface's form."""
    if surface is Dialect.GEMINI:
        return gemini.show_model(model)
    if surface is Dialect.ANTHROPIC:
        return anthropic.show_model(model)
    return openai.show_model(model)
