"""llama-server of llama.cpp. Measured (b11549)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask
from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.engines.parts import ALL_LOSE, MOST_LOSE, Part
from casedesk_proxy.engines.profile import (
    ANY_CHOICE,
    IMAGES,
    NO_TEMPLATE_THINKING,
    Choice,
    Counter,
    Messages,
    Profile,
    Thinking,
)
from casedesk_proxy.engines.reading import as_count, as_mapping, as_text, as_texts, named_entries
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo

__all__ = ["SPEC", "makes_embeddings", "read_models"]

#: Words in the template of a model that thinks.
_THINKS = re.compile(r"think|reason|<\|channel", re.IGNORECASE)
#: gpt-oss writes its thoughts into a channel that cannot be disabled.
_HARMONY = "<|channel|>analysis"


def makes_embeddings(status: int, answer: Any) -> bool:
    """Whether the server makes embeddings, by its answer to a request for embeddings without any
    text: 501 if it was started without ``--embeddings``; otherwise it reports that the text is
    missing."""
    details = as_text(as_mapping(as_mapping(answer).get("error")).get("message")) or ""
    return status == 400 and '"input"' in details


def read_models(listing: Any, props: Any) -> tuple[ModelInfo, ...]:
    """From ``/v1/models`` and ``/props``. The context is that of one slot, not the total."""
    settings = as_mapping(as_mapping(props).get("default_generation_settings"))
    details = {one["id"]: one for one in named_entries(listing, "data", "id")}
    lookalikes = {one["name"]: one for one in named_entries(listing, "models", "name")}
    models = []
    for info in openai_models(listing):
        capabilities = as_texts(lookalikes.get(info.name, {}).get("capabilities"))
        # Only a server with several models reports which of them are loaded.
        status = as_mapping(details[info.name].get("status")).get("value")
        model = replace(
            info,
            context_length=info.context_length or as_count(settings.get("n_ctx")),
            embeds="embedding" in capabilities and "completion" not in capabilities,
            also_embeds={"embedding", "completion"} <= set(capabilities),
            loaded=status == "loaded" if isinstance(status, str) else None,
            trained_length=as_count(as_mapping(details[info.name].get("meta")).get("n_ctx_train")),
            lacks=_lacks(as_mapping(props)),
            ignores=_template_ignores(as_mapping(props).get("chat_template")),
            heeds=_template_heeds(as_mapping(props).get("chat_template")),
        )
        # It accepts each of its aliases, but lists only the first as a model.
        names = dict.fromkeys([info.name, *as_texts(details[info.name].get("aliases"))])
        models += [
            replace(model, name=name, alias_of="" if name == info.name else info.name)
            for name in names
        ]
    return tuple(models)


def _lacks(props: Mapping[str, Any]) -> frozenset[Ability]:
    """It reports ``modalities`` and a chat template; a server with several models reports
    neither."""
    details = as_mapping(props.get("modalities"))
    kinds = (("vision", Ability.VISION), ("audio", Ability.AUDIO))
    lacks = {ability for kind, ability in kinds if details.get(kind) is False}
    template = as_text(props.get("chat_template"))
    if template and not _THINKS.search(template):
        lacks.add(Ability.THINKING)
    return frozenset(lacks)


def _template_ignores(template: Any) -> frozenset[Control]:
    """A control that the chat template does not contain has no effect. If the template opens a
    block for thoughts, the server can close that block whether or not the template has the
    switch."""
    if not isinstance(template, str) or not template:
        return frozenset()
    ignored = set()
    if _HARMONY in template and "enable_thinking" not in template:
        ignored.add(Control.OFF)
    if "reasoning_effort" not in template:
        ignored.add(Control.EFFORT)
    return frozenset(ignored)


def _template_heeds(template: Any) -> frozenset[Control]:
    known = isinstance(template, str) and "reasoning_effort" in template
    return frozenset({Control.EFFORT} if known else ())


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    props = yield from ask("/props")
    ours = "llama.cpp" in (props.server, listing.server)
    if not ours and "default_generation_settings" not in props.facts:
        return None
    slots = props.facts.get("total_slots")
    return Detected(
        SPEC,
        read_models(listing.json if listing.status == 200 else None, props.facts),
        SPEC.speaks,
        slots=slots if type(slots) is int and slots > 0 else None,
        # The list of models is public there, but /props is not.
        needs_key=props.is_locked or listing.is_locked,
        loading=503 in (props.status, listing.status),
    )


def _complete(known: Detected) -> Asking[Detected]:
    """Ask whether it makes embeddings besides text, which it reports nowhere: a request for
    embeddings of nothing computes nothing, and its error shows it."""
    if known.loading or not known.models:
        return known
    tried = yield from ask("/v1/embeddings", {})
    if makes_embeddings(tried.status, tried.json):
        changes: dict[str, Any] = {"also_embeds": True}
    elif tried.status == 501 and all(one.loaded is None for one in known.models):
        changes = {"lacks": known.models[0].lacks | {Ability.EMBEDDING}}
    else:
        return known
    return replace(known, models=tuple(replace(one, **changes) for one in known.models))


_PROFILE = Profile(
    # A named choice silently becomes auto (llama.cpp 26535).
    choices=frozenset({Choice.AUTO, Choice.REQUIRED}),
    # The format's grammar has priority, and no function is ever called.
    format_forbids=ANY_CHOICE,
    top_k=True,
    logprobs_with_tools=False,
    images=IMAGES - {"image/webp"} | {"image/bmp"},
    video="input_video",
    thinking=Thinking(NO_TEMPLATE_THINKING, "thinking_budget_tokens", history="reasoning_content"),
    prefill={},
    counter=Counter.INPUT_TOKENS,
    dimensions=False,
    messages=Messages(
        exact=False,
        documents=False,
        # ``tool`` is treated as any.
        choices=frozenset({Choice.AUTO, Choice.REQUIRED}),
        format=False,
        effort=False,
        disables_thinking=False,
        loses=ALL_LOSE
        | MOST_LOSE
        | {Part.FORMAT, Part.THINKING_OFF, Part.EFFORT, Part.WEB_SEARCH}
        | {Part.NO_TOOL, Part.NAMED_TOOL, Part.ONE_TOOL},
        effort_by_template=True,
    ),
)

SPEC = EngineSpec(
    name="llama-server",
    title="llama-server",
    speaks=(Dialect.OPENAI, Dialect.ANTHROPIC),
    profile=_PROFILE,
    rank=12,
    ports=(8080, 8081),
    programs=("llama-server",),
    probe="/health",
    # Seen in a trace of its system calls.
    sends_at_once=True,
    counts_streams=True,
    other_names=frozenset({"llama.cpp", "llamacpp"}),
    fingerprint=Fingerprint(
        _look,
        turn=10,
        owners=frozenset({"llamacpp"}),
        servers=frozenset({"llama.cpp"}),
        complete=_complete,
    ),
    paths=(
        *paths.RERANKING,
        *paths.TRANSCRIPTIONS,
        *paths.TOKENIZE,
        *paths.DETOKENIZE,
        *paths.APPLY_TEMPLATE,
        *paths.INFILL,
        *paths.COMPLETION,
        *paths.EMBEDDING,
        *paths.COUNT_CHAT,
        *paths.STEER_CHAT,
    ),
    administration=(
        "models/load models/unload models/sse slots lora-adapters props tools cors-proxy"
        " stream streams"
    ),
)
