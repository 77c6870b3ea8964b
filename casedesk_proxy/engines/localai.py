"""LocalAI. From the source of 4.9 and its documentation; not tested against a real server.

It offers one API for many backends, and the effect of a field depends on the backend of the model.
An ability that not all backends have is assumed to be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask_facts
from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.engines.parts import ALL_LOSE, MOST_LOSE, Part
from casedesk_proxy.engines.profile import NO_EFFORT, Choice, Messages, Profile, Thinking
from casedesk_proxy.engines.reading import as_mapping, as_texts, named_entries, version_numbers
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Ability, Dialect, ModelInfo

__all__ = ["SPEC", "read_models"]

#: It serves /v1/messages from this version on (its list of releases).
_MESSAGES_SINCE = (3, 10)
_WRITES = {"chat", "completion"}
_EMBEDS = "embeddings"


def read_models(listing: Any, capabilities: Any) -> tuple[ModelInfo, ...]:
    """From ``/v1/models`` and ``/v1/models/capabilities``, which older releases lack. No list
    contains contexts."""
    details = {one["id"]: _read(one) for one in named_entries(capabilities, "data", "id")}
    return tuple(replace(info, **details.get(info.name, {})) for info in openai_models(listing))


def _read(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The list also contains models for images, speech and the like. A missing ``tools`` means
    nothing: LocalAI guesses it from a model's settings."""
    able, takes = set(as_texts(entry.get("capabilities"))), as_texts(entry.get("input_modalities"))
    if not able:
        return {}
    writes, embeds = bool(able & _WRITES), _EMBEDS in able
    lacks = set()
    if not writes:
        lacks.add(Ability.COMPLETION)
    if not embeds:
        lacks.add(Ability.EMBEDDING)
    if takes:
        kinds = (("image", Ability.VISION), ("audio", Ability.AUDIO))
        lacks |= {ability for kind, ability in kinds if kind not in takes}
    return {
        "embeds": embeds and not writes,
        "also_embeds": embeds and writes,
        "thinks": "thinking" in able,
        "lacks": frozenset(lacks),
    }


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    """Its description of itself needs no key, even if its models do."""
    facts = yield from ask_facts("/.well-known/localai.json")
    version = facts.get("version")
    if not isinstance(version, str) or "chat_completions" not in as_mapping(facts.get("endpoints")):
        return None
    capabilities = yield from ask_facts("/v1/models/capabilities")
    newer = version_numbers(version) >= _MESSAGES_SINCE
    return Detected(
        SPEC,
        read_models(listing.json if listing.status == 200 else None, capabilities),
        (Dialect.OPENAI, Dialect.ANTHROPIC) if newer else SPEC.speaks,
        # ``v4.9.0 (commit)``
        version=version.partition(" ")[0],
        needs_key=listing.is_locked,
    )


_PROFILE = Profile(
    choices=frozenset({Choice.AUTO}),
    top_k=True,
    # A stream has one choice, and log probabilities depend on the backend.
    candidates=False,
    logprobs=False,
    # Backends other than llama.cpp ignore its grammars; of a schema it uses ``type`` and
    # ``properties`` (pkg/functions, Item).
    follows_format=False,
    video="video_url",
    thinking=Thinking(NO_EFFORT, history="reasoning_content"),
    parallel_switch=False,
    dimensions=False,
    messages=Messages(
        exact=False,
        documents=False,
        choices=frozenset({Choice.AUTO}),
        format=False,
        disables_thinking=False,
        budgets=False,
        effort=False,
        counts=False,
        # ``thinking`` only decides whether thoughts are shown; of ``tool_choice`` only ``tool`` is
        # read (core/http/endpoints/anthropic).
        loses=ALL_LOSE
        | MOST_LOSE
        | {Part.FORMAT, Part.THINKING_OFF, Part.BUDGET, Part.EFFORT, Part.WEB_SEARCH}
        | {Part.NO_TOOL, Part.ANY_TOOL, Part.NAMED_TOOL, Part.ONE_TOOL, Part.COUNT},
    ),
)

SPEC = EngineSpec(
    name="localai",
    title="LocalAI",
    # An older release must not be assumed to speak Anthropic's protocol too.
    speaks=(Dialect.OPENAI,),
    profile=_PROFILE,
    tested=False,
    ports=(8080,),
    programs=("local-ai",),
    # Needs no key, like its description; 503 until it has started.
    probe="/readyz",
    # Go does.
    sends_at_once=True,
    other_names=frozenset({"local-ai", "local_ai"}),
    # It imitates Ollama.
    fingerprint=Fingerprint(_look, turn=25),
    has_realtime=True,
    paths=(*paths.RERANK[:1], *paths.AUDIO, *paths.IMAGES),
    administration=(
        "models/apply models/delete models/available models/galleries models/jobs"
        " models/import models/edit models/reload backend/monitor backend/shutdown backends"
        " p2p system stores browse chat-ui"
    ),
)
