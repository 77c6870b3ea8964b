"""Which engine answers at a URL, and what it serves: found out by asking, never by inference.

Only endpoints that report facts are asked; none loads, wakes or runs a model. A reply is read
up to a limit, redirects are not followed, and each question has its own timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from yarl import URL

from casedesk_proxy import jsonio
from casedesk_proxy.config.engines import SPEAKS
from casedesk_proxy.terms import Ability, Dialect, Engine, ModelInfo
from casedesk_proxy.upstream import listings
from casedesk_proxy.upstream.listings import as_mapping

__all__ = [
    "ANSWER_SECONDS",
    "Recognised",
    "ask_for_embeddings",
    "recognise",
    "refresh_ollama",
    "version_numbers",
]

#: How long one question may take. Engines answer these in milliseconds; a busy one in a second.
ANSWER_SECONDS = 3.0
MAX_BODY = 2 * 2**20
#: Models of one Ollama that are asked about one by one.
MAX_SHOWN = 100
#: Ollama serves /v1/messages from this version on (its release notes).
OLLAMA_MESSAGES = (0, 14)


@dataclass(frozen=True, slots=True)
class Recognised:
    """An engine at a URL. ``models`` is empty where it told none: it has none, is ``loading``, or
    ``needs_key``. ``slots``: how many requests it runs at once, where it tells."""

    engine: Engine
    models: tuple[ModelInfo, ...] = ()
    dialects: tuple[Dialect, ...] = ()
    version: str | None = None
    slots: int | None = None
    needs_key: bool = False
    loading: bool = False


async def recognise(
    session: aiohttp.ClientSession,
    url: str,
    *,
    api_key: str | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Recognised | None:
    """None where nothing answers, or nothing that is known (another CaseDesk Proxy included).

    ``url`` as a node's in the configuration; ``api_key`` goes along as a bearer token. Never
    raises but for cancellation.
    """
    ask = _Questions(session, url.rstrip("/"), api_key, answer_seconds)
    listing = await ask("/v1/models")
    if listing is None or _is_proxy(listing.json):
        return None
    suspect = _OWNERS.get(listings.owner(listing.json))
    if listing.server == "llama.cpp":
        suspect = _look_for_llama
    looks = [look for look in _LOOKS if look is not suspect]
    for look in [suspect, *looks] if suspect else looks:
        found = await look(ask, listing)
        if found is not None:
            return found
    return None


async def refresh_ollama(
    session: aiohttp.ClientSession,
    url: str,
    known: Recognised,
    *,
    api_key: str | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Recognised | None:
    """A known Ollama with what may have changed, by two cheap questions instead of one for every
    model. None where its models have changed, or it did not answer: recognise it anew."""
    ask = _Questions(session, url.rstrip("/"), api_key, answer_seconds)
    tags, loaded = await ask.facts("/api/tags"), await ask.facts("/api/ps")
    now = {one.name: one for one in listings.ollama_models(tags, loaded, {})}
    if "models" not in loaded or now.keys() != {one.name for one in known.models}:
        return None
    if any(now[one.name].created != one.created for one in known.models):
        return None  # Made anew under its name, and perhaps able to do other things.
    models = tuple(
        replace(
            one,
            loaded=now[one.name].loaded,
            # What it last ran with is the best guess for the next time.
            context_length=now[one.name].context_length or one.context_length,
        )
        for one in known.models
    )
    return replace(known, models=models)


async def ask_for_embeddings(
    session: aiohttp.ClientSession,
    url: str,
    known: Recognised,
    *,
    api_key: str | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Recognised:
    """A known llama-server, and whether it makes embeddings beside text, which it lists nowhere.
    It is asked for those of nothing: what it misses tells, and nothing is computed."""
    if known.loading or not known.models:
        return known
    ask = _Questions(session, url.rstrip("/"), api_key, answer_seconds)
    tried = await ask("/v1/embeddings", {}) or _NOTHING
    if listings.llama_embeds(tried.status, tried.json):
        changes: dict[str, Any] = {"also_embeds": True}
    elif tried.status == 501 and all(one.loaded is None for one in known.models):
        changes = {"lacks": known.models[0].lacks | {Ability.EMBEDDING}}
    else:
        return known
    return replace(known, models=tuple(replace(one, **changes) for one in known.models))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    server: str
    json: Any = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """The JSON object of a 200; empty for anything else."""
        return as_mapping(self.json) if self.status == 200 else {}

    @property
    def is_locked(self) -> bool:
        return self.status in (401, 403)


_NOTHING = _Answer(0, "")


@dataclass(frozen=True, slots=True)
class _Questions:
    session: aiohttp.ClientSession
    url: str
    api_key: str | None = field(repr=False)
    seconds: float

    async def __call__(
        self, path: str, question: Mapping[str, Any] | None = None
    ) -> _Answer | None:
        """GET, or POST of a question in JSON. None when no usable reply came."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        try:
            async with self.session.request(
                "GET" if question is None else "POST",
                URL(self.url + path, encoded=True),
                json=question,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.seconds),
            ) as reply:
                body = await _read(reply)
                return _Answer(reply.status, reply.headers.get("Server", ""), _parse(body))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def facts(self, path: str) -> Mapping[str, Any]:
        return (await self(path) or _NOTHING).facts


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in reply.content.iter_chunked(65536):
        body += piece
        if len(body) > MAX_BODY:
            return b""
    return bytes(body)


def _parse(body: bytes) -> Any:
    try:
        return jsonio.loads(body)
    except jsonio.JSONError:
        return None


def _is_proxy(listing: Any) -> bool:
    """Only Gemini's lists have this key, and no local engine speaks Gemini: it is one of us."""
    entries = as_mapping(listing).get("models")
    first = entries[0] if isinstance(entries, list) and entries else None
    return "supportedGenerationMethods" in as_mapping(first)


async def _look_for_llama(ask: _Questions, listing: _Answer) -> Recognised | None:
    props = await ask("/props") or _NOTHING
    ours = "llama.cpp" in (props.server, listing.server)
    if not ours and "default_generation_settings" not in props.facts:
        return None
    slots = props.facts.get("total_slots")
    return Recognised(
        Engine.LLAMA_SERVER,
        listings.llama_models(listing.json if listing.status == 200 else None, props.facts),
        SPEAKS[Engine.LLAMA_SERVER],
        slots=slots if type(slots) is int and slots > 0 else None,
        # The list of models is public there, /props is not.
        needs_key=props.is_locked or listing.is_locked,
        loading=503 in (props.status, listing.status),
    )


async def _look_for_sglang(ask: _Questions, listing: _Answer) -> Recognised | None:
    # The first name is the older one; newer releases know both, or only the second.
    facts = await ask.facts("/get_model_info") or await ask.facts("/model_info")
    if "model_path" not in facts or "is_generation" not in facts:
        return None
    models = listings.sglang_models(listing.json, facts)
    return Recognised(Engine.SGLANG, models, SPEAKS[Engine.SGLANG])


async def _look_for_ollama(ask: _Questions, listing: _Answer) -> Recognised | None:
    version = (await ask.facts("/api/version")).get("version")
    tags = await ask.facts("/api/tags") if isinstance(version, str) else {}
    if not isinstance(version, str) or "models" not in tags:
        return None
    loaded = await ask.facts("/api/ps")
    names = [info.name for info in listings.ollama_models(tags, None, {})][:MAX_SHOWN]
    answers = await asyncio.gather(*(ask("/api/show", {"model": name}) for name in names))
    shown = {name: (one or _NOTHING).facts for name, one in zip(names, answers, strict=True)}
    dialects = SPEAKS[Engine.OLLAMA]
    if version_numbers(version) >= OLLAMA_MESSAGES:
        dialects = (Dialect.OPENAI, Dialect.ANTHROPIC)
    models = listings.ollama_models(tags, loaded, shown)
    return Recognised(Engine.OLLAMA, models, dialects, version=version)


async def _look_for_tgi(ask: _Questions, listing: _Answer) -> Recognised | None:
    facts = await ask.facts("/info")
    # Its sister for embeddings, TEI, has the same page without a limit on written tokens.
    if "model_id" not in facts or "max_total_tokens" not in facts:
        return None
    version = facts.get("version")
    return Recognised(
        Engine.TGI,
        listings.tgi_models(facts),
        SPEAKS[Engine.TGI],
        version=version if isinstance(version, str) else None,
    )


async def _look_for_transformers(ask: _Questions, listing: _Answer) -> Recognised | None:
    """``transformers serve`` names itself nowhere. Its description of itself, which FastAPI
    writes, holds two paths that no other engine has; its list is that of a folder of models, and
    answers 500 where there is none (measured, 5.17)."""
    if listing.server != "uvicorn":
        return None
    paths = as_mapping((await ask.facts("/openapi.json")).get("paths"))
    if not {"/load_model", "/reset"} <= paths.keys():
        return None
    models = listings.openai_models(listing.json if listing.status == 200 else None)
    return Recognised(Engine.TRANSFORMERS, models, SPEAKS[Engine.TRANSFORMERS])


async def _look_for_vllm(ask: _Questions, listing: _Answer) -> Recognised | None:
    version = (await ask.facts("/version")).get("version")
    if not isinstance(version, str):
        return None
    if listings.owner(listing.json) != "vllm" and not listing.is_locked:
        return None
    return Recognised(
        Engine.VLLM,
        listings.openai_models(listing.json),
        SPEAKS[Engine.VLLM],
        version=version,
        needs_key=listing.is_locked,
    )


async def _look_for_openai(ask: _Questions, listing: _Answer) -> Recognised | None:
    """Any server that lists models as OpenAI does."""
    if not isinstance(listing.facts.get("data"), list):
        return None
    models = listings.openai_models(listing.json)
    return Recognised(Engine.OPENAI, models, SPEAKS[Engine.OPENAI])


_Look = Callable[[_Questions, _Answer], Awaitable[Recognised | None]]
#: SGLang imitates Ollama, so it is looked for first; OpenAI's list is what they all have.
_LOOKS: tuple[_Look, ...] = (
    _look_for_llama,
    _look_for_sglang,
    _look_for_ollama,
    _look_for_tgi,
    _look_for_vllm,
    _look_for_transformers,
    _look_for_openai,
)
#: Whom to suspect first by the owner that a list of models names.
_OWNERS: dict[str, _Look] = {
    "llamacpp": _look_for_llama,
    "sglang": _look_for_sglang,
    "library": _look_for_ollama,
    "vllm": _look_for_vllm,
}


def version_numbers(version: str) -> tuple[int, ...]:
    """``0.14.2-rc1`` → (0, 14); () for what is no version."""
    parts = version.lstrip("v").split(".")[:2]
    # Python refuses to read numbers of thousands of digits.
    plain = all(part.isdecimal() and len(part) < 10 for part in parts)
    return tuple(int(part) for part in parts) if plain else ()
