"""The meaning of a path that is not served where it was requested: another surface's path, an API
that exists but is not served here, a node's administration, or an unknown path. The refusal says
which, and what to do.

``rest`` is always a path after its mount and its versions, raw, without a slash at either end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from casedesk_proxy.engines.registry import find_administered
from casedesk_proxy.errors import ClientFault, Forbidden, NotFound
from casedesk_proxy.surfaces.inference_paths import INFERENCE_NAMES
from casedesk_proxy.surfaces.request_target import decode
from casedesk_proxy.terms import Action, Dialect
from casedesk_proxy.wording import quoted

__all__ = [
    "APIS",
    "FETCHED",
    "GEMINI_ACTIONS",
    "GEMINI_APIS",
    "POSTED",
    "base_url",
    "has_action",
    "misplaced",
    "no_path",
    "owner_of",
    "refuse_administration",
    "unserved",
    "unserved_action",
]

#: The actions of a Gemini model, by the word after the colon.
GEMINI_ACTIONS = {
    str(action): action
    for action in (
        Action.GENERATE,
        Action.STREAM_GENERATE,
        Action.EMBED,
        Action.BATCH_EMBED,
        Action.COUNT_TOKENS,
    )
}
#: The other surfaces' paths for POST. OpenAI's surface has more, about kept responses: see
#: `kept_responses`.
POSTED = {
    Dialect.ANTHROPIC: {
        "messages": Action.MESSAGES,
        "messages/count_tokens": Action.COUNT_MESSAGES,
    },
    Dialect.OPENAI: {
        "chat/completions": Action.CHAT,
        "completions": Action.COMPLETE,
        "embeddings": Action.EMBEDDINGS,
        "responses": Action.RESPOND,
        "responses/input_tokens": Action.COUNT_RESPONSE,
    },
    Dialect.OLLAMA: {
        "api/chat": Action.OLLAMA_CHAT,
        "api/generate": Action.OLLAMA_GENERATE,
        "api/embed": Action.OLLAMA_EMBED,
        "api/embeddings": Action.OLLAMA_EMBEDDINGS,
        "api/show": Action.SHOW_MODEL,
    },
}
#: Their paths for GET, besides models.
FETCHED = {
    Dialect.OLLAMA: {
        "api/tags": Action.LIST_MODELS,
        "api/ps": Action.LIST_LOADED,
        "api/version": Action.VERSION,
    },
}
_OWNERS = {
    rest: surface for tables in (POSTED, FETCHED) for surface, table in tables.items()
    for rest in table
}  # fmt: skip
_OWNERS |= dict.fromkeys((*INFERENCE_NAMES, "realtime"), Dialect.OPENAI)
_NAMES = {
    Dialect.GEMINI: "the Gemini API",
    Dialect.ANTHROPIC: "Anthropic's API",
    Dialect.OPENAI: "OpenAI's API",
    Dialect.RESPONSES: "OpenAI's Responses API",
    Dialect.OLLAMA: "Ollama's own API",
}
#: The surfaces' base URLs, for a client that requested an unknown path.
_BASES = (
    "base URLs are /proxy/DEPLOYMENT/gemini, /proxy/DEPLOYMENT/anthropic,"
    " /proxy/DEPLOYMENT/openai/v1 and /proxy/DEPLOYMENT/ollama, or without a deployment / for"
    " Gemini, Anthropic and Ollama clients and /v1 for OpenAI's"
)
#: The remedy if nothing here replaces an API.
_NOTHING_ALIKE = "do without it: nothing here replaces it"
_ADMIN = re.compile(r"(?:healthz?|readyz|livez|status|metrics)$")
#: Vertex's prefix of all paths.
_PROJECT = re.compile(r"\Aprojects/[^/]*/locations/[^/]*/")
_COLON = re.compile(r":|%3a", re.IGNORECASE)
#: Followed by the id of a kept response.
_KEPT = re.compile(r"responses/(?!compact$)")
_VERSION = re.compile(r"v1(?:beta1?|alpha)?$")
#: The most characters at a path's end that may be an action with its colon.
_MAX_ACTION_CHARS = 64
#: The most segments that are skipped to find a known path; no base URL is deeper.
_MAX_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Api:
    """An API that exists and is not served here. ``owner`` None: two vendors use the name.
    ``paths``: the beginnings of its paths, as an expression; ``pattern`` is compiled from it."""

    paths: str
    owner: Dialect | None
    name: str
    remedy: str
    code: str
    pattern: re.Pattern[str]


def _api(
    words: str, owner: Dialect | None, name: str, remedy: str = "", code: str = "not_found"
) -> Api:
    pattern = re.compile(f"(?:{words})(?:[/:]|$)", re.IGNORECASE)
    return Api(words, owner, name, remedy, code, pattern)


_O, _A, _G = Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.GEMINI
_ALONE = "send each request by itself"
#: In order; the first match counts.
APIS = (
    _api(
        "responses/compact", Dialect.RESPONSES, "OpenAI's compaction of a conversation",
        "send the whole conversation as input",
    ),
    _api("messages/batches", _A, "Anthropic's Message Batches API", _ALONE),
    _api("batches", None, "the Batch API", _ALONE),
    _api("complete", _A, "Anthropic's Text Completions API", "use messages"),
    _api("assistants|threads", _O, "OpenAI's Assistants API", "use chat/completions"),
    _api("conversations", _O, "OpenAI's Conversations API", "use chat/completions"),
    _api(
        "realtime|live", _O, "this part of OpenAI's Realtime API",
        "the WebSocket at /v1/realtime is",
    ),
    _api("images|edits", _O, "this part of OpenAI's Images API"),
    _api("videos", _O, "OpenAI's Videos API"),
    _api("audio", _O, "this part of OpenAI's Audio API"),
    _api("moderations", _O, "OpenAI's Moderations API"),
    _api("fine_tuning|fine-tunes", _O, "OpenAI's Fine-tuning API"),
    _api("vector_stores", _O, "OpenAI's Vector Stores API"),
    _api("uploads", _O, "OpenAI's Uploads API"),
    _api("containers", _O, "OpenAI's Containers API"),
    _api("evals", _O, "OpenAI's Evals API"),
    _api("organization", _O, "OpenAI's Administration API"),
    _api("engines", _O, "OpenAI's retired Engines API", "name the model in the body"),
    _api(
        "deployments", _O, "Azure's form of OpenAI's API",
        "use the plain OpenAI client, not Azure's, and name the model in the body",
    ),
    _api("organizations", _A, "Anthropic's Admin API"),
    _api("sessions|environments|memory_stores|vaults", _A, "Anthropic's Managed Agents API"),
    _api("experimental", _A, "Anthropic's prompt tools API"),
    _api("agents", None, "the Agents API"),
    _api("skills", None, "the Skills API"),
    _api("cachedContents", _G, "Gemini's Caching API", "send the content with each request"),
    _api("interactions", _G, "Gemini's Interactions API", "use generateContent"),
    _api("operations", _G, "Gemini's Operations API"),
    _api("corpora|fileSearchStores|ragStores", _G, "Gemini's File Search API"),
    _api("auth_?tokens", _G, "Gemini's Live API"),
    _api(r"ws/google\.[a-z0-9.]*", _G, "Gemini's Live API", "use streamGenerateContent"),
    _api("tuningJobs|tunedModels/[^/:]+/permissions", _G, "Gemini's Tuning API"),
    _api("batchPredictionJobs", _G, "Gemini's Batch API", _ALONE),
    _api("invocations", _O, "SageMaker's API", "the engine's own is, at its own path"),
    _api("generate|generate_stream", _O, "TGI's own API"),
)  # fmt: skip
#: The same by the word after a Gemini path's last colon.
GEMINI_APIS = {
    "predict": "Google's prediction API (Imagen)",
    "predictLongRunning": "Google's prediction API (Veo)",
    "fetchPredictOperation": "Google's prediction API (Veo)",
    "batchGenerateContent": "Gemini's Batch API",
    "asyncBatchEmbedContent": "Gemini's Batch API",
    "bidiGenerateContent": "Gemini's Live API",
    "computeTokens": "Vertex AI's computeTokens",
    "rawPredict": "Vertex AI's form of Anthropic's API",
    "streamRawPredict": "Vertex AI's form of Anthropic's API",
    "generateAnswer": "Gemini's question answering API",
    "generateMessage": "the retired PaLM API",
    "generateText": "the retired PaLM API",
    "embedText": "the retired PaLM API",
    "transferOwnership": "Gemini's Tuning API",
}


def owner_of(rest: str) -> Dialect | None:
    """The surface that serves such a path; None if several do, or none."""
    known = _OWNERS.get(rest)
    if known is None and _KEPT.match(rest):
        return Dialect.OPENAI
    if known is None and _action(rest) in GEMINI_ACTIONS:
        return Dialect.GEMINI
    return known


def unserved(rest: str) -> Api | None:
    """The API that is not served here and that a path belongs to, unless a surface serves the
    path."""
    if owner_of(rest) is not None:
        return None
    bare = _PROJECT.sub("", rest, count=1)
    return next((api for api in APIS if api.pattern.match(bare)), None)


def unserved_action(action: str) -> str | None:
    """The API that an action of a Gemini model belongs to."""
    return GEMINI_APIS.get(action)


def base_url(surface: Dialect, deployment: str | None) -> str:
    """The base URL to set in a client."""
    if deployment:
        return f"/proxy/{deployment}/{surface}{'/v1' if surface is Dialect.OPENAI else ''}"
    return "/v1" if surface is Dialect.OPENAI else "/"


def _base_url(surface: Dialect, deployment: str | None) -> str:
    base = base_url(surface, deployment)
    return "the host and port alone" if base == "/" else base


def misplaced(rest: str, owner: Dialect, surface: Dialect, deployment: str | None) -> NotFound:
    """The error for a path of ``owner`` at the base URL of ``surface``."""
    return NotFound(
        f"{quoted('/' + rest)} belongs to {_NAMES[owner]}, but the base URL is that of"
        f" {_NAMES[surface]}; set it to {_base_url(owner, deployment)}"
    )


def no_path(rest: str, why: str = "not a known path", deployment: str | None = None) -> ClientFault:
    """Says what is right: nothing, for a node's administration; that the API is not served here at
    any base URL; another base URL; else a list of the base URLs."""
    asked = quoted("/" + rest)
    plain = decode(rest).strip("/")
    for inner in _tails(plain):
        if (engine := find_administered(inner)) is not None:
            return Forbidden(
                f"{asked} administers {engine.title}; only inference is passed on: to"
                " administer a node, send the request to the node itself",
                code="administration",
            )
    if _ADMIN.match(rest):
        return NotFound(f"{asked} is {why}; use the admin listener (server.admin)")
    for inner in _tails(rest):
        api, owner = unserved(inner), owner_of(inner)
        if api is not None:
            message = f"{api.name} is not {'relayed' if 'own' in api.name else 'served here'}"
            return NotFound(f"{message}; {api.remedy or _NOTHING_ALIKE}", code=api.code)
        if owner is not None:
            base = _base_url(owner, deployment)
            return NotFound(f"{asked} is {why}; for {_NAMES[owner]} the base URL is {base}")
    return NotFound(f"{asked} is {why}; {_BASES}")


def refuse_administration(rest: str) -> None:
    """Raises Forbidden for a path that administers a node."""
    if find_administered(decode(rest)) is not None:
        raise no_path(rest)


def _tails(rest: str) -> Iterator[str]:
    """The path, then the rest after each version in it, then the rest after its first segments if
    something is served there."""
    yield rest
    segments = rest.split("/", _MAX_SEGMENTS)
    tails = ["/".join(segments[skipped:]) for skipped in range(1, len(segments))]
    versioned = [_VERSION.match(before) is not None for before in segments]
    yield from (tail for tail, is_one in zip(tails, versioned, strict=False) if is_one)
    yield from (tail for tail in tails if owner_of(tail) is not None)


def has_action(rest: str) -> bool:
    """Whether a path ends like an action of a Gemini model."""
    return _COLON.search(rest) is not None


def _action(rest: str) -> str:
    """The word after the last colon, which may be encoded."""
    tail = rest[-_MAX_ACTION_CHARS:]
    return _COLON.split(tail)[-1] if ":" in tail or "%" in tail else ""
