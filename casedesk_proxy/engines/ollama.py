"""Ollama. From the source of 0.33, or measured (0.9.3).

Unless configured otherwise, it runs a model with 2048 or 4096 tokens of context, and cuts longer
prompts without an error. It reports the context only of models that are loaded; older releases
report none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.engines.inquiries import Asking, Inquiry, NodeAnswer, ask_facts, ask_together
from casedesk_proxy.engines.parts import ALL_LOSE, MOST_LOSE, Part
from casedesk_proxy.engines.profile import (
    IMAGES,
    NO_EFFORT,
    Choice,
    Messages,
    Profile,
    Responses,
    Thinking,
)
from casedesk_proxy.engines.reading import (
    as_count,
    as_epoch,
    as_mapping,
    as_texts,
    named_entries,
    version_numbers,
)
from casedesk_proxy.engines.spec import Contexts, Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo

__all__ = ["SPEC", "advise", "read_models"]

#: It serves /v1/messages from this version on (its release notes); /v1/responses came with 0.13.3.
_MESSAGES_SINCE = (0, 14)
#: How many models are asked about one by one.
_MAX_SHOWN_MODELS = 100
#: Families of embedding models, for releases too old to report capabilities.
_EMBEDDING_FAMILIES = {"bert", "nomic-bert", "nomic-bert-moe", "xlm-roberta", "jina-bert-v2"}
#: Tokens: enough for the first prompt of an agent and the files that it reads.
_ENOUGH_TOKENS = 32768
_MAX_NAMED_MODELS = 10


def read_models(tags: Any, loaded: Any, shown: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
    """From ``/api/tags``, ``/api/ps`` and, by model name, ``/api/show``.

    The context is the one that a loaded model runs with, else the one that its parameters set.
    Nothing reports the server's default; the context of the model's training is far larger.
    """
    running = {entry["name"]: entry for entry in named_entries(loaded, "models", "name")}
    models = []
    for entry in named_entries(tags, "models", "name"):
        name = entry["name"]
        show = as_mapping(shown.get(name))
        capabilities = as_texts(show.get("capabilities"))
        families = as_texts(as_mapping(entry.get("details")).get("families"))
        embeds = (
            "embedding" in capabilities and "completion" not in capabilities
            if capabilities
            else not _EMBEDDING_FAMILIES.isdisjoint(families)
        )
        models.append(
            ModelInfo(
                name=name,
                context_length=as_count(running.get(name, {}).get("context_length"))
                or _parameter(show, "num_ctx"),
                created=as_epoch(entry.get("modified_at")),
                owned_by="library",
                embeds=embeds,
                also_embeds={"embedding", "completion"} <= set(capabilities),
                thinks="thinking" in capabilities,
                loaded=name in running,
                trained_length=_trained_context(show),
                lacks=_lacks(capabilities, show),
                ignores=frozenset({Control.OFF} if "gptoss" in families else ()),
            )
        )
    return tuple(models)


def _trained_context(show: Mapping[str, Any]) -> int | None:
    facts = as_mapping(show.get("model_info"))
    return as_count(facts.get(f"{facts.get('general.architecture')}.context_length"))


def _parameter(show: Mapping[str, Any], name: str) -> int | None:
    """One of a model's parameters, which are lines with a name and a value."""
    text = show.get("parameters")
    for line in text.splitlines() if isinstance(text, str) else ():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdecimal() and len(words[1]) < 10:
            return as_count(int(words[1]))
    return None


def _lacks(capabilities: list[str], show: Mapping[str, Any]) -> frozenset[Ability]:
    """For a model with reported capabilities. It makes embeddings whatever it reports; what a
    separate projector accepts is not reported here."""
    if not capabilities:
        return frozenset()
    lacks = frozenset(Ability) - {Ability.EMBEDDING, *capabilities}
    return lacks - {Ability.VISION, Ability.AUDIO} if show.get("projector_info") else lacks


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    version = (yield from ask_facts("/api/version")).get("version")
    tags = (yield from ask_facts("/api/tags")) if isinstance(version, str) else {}
    if not isinstance(version, str) or "models" not in tags:
        return None
    loaded = yield from ask_facts("/api/ps")
    names = [info.name for info in read_models(tags, None, {})][:_MAX_SHOWN_MODELS]
    answers = yield from ask_together(Inquiry("/api/show", {"model": name}) for name in names)
    shown = {name: one.facts for name, one in zip(names, answers, strict=True)}
    dialects = SPEC.speaks
    if version_numbers(version) >= _MESSAGES_SINCE:
        dialects = (*SPEC.speaks, Dialect.ANTHROPIC, Dialect.RESPONSES)
    return Detected(SPEC, read_models(tags, loaded, shown), dialects, version=version)


def _refresh(known: Detected) -> Asking[Detected | None]:
    """With two cheap inquiries instead of one for every model; None if its models have changed, or
    it did not answer."""
    tags = yield from ask_facts("/api/tags")
    loaded = yield from ask_facts("/api/ps")
    now = {one.name: one for one in read_models(tags, loaded, {})}
    if "models" not in loaded or now.keys() != {one.name for one in known.models}:
        return None
    if any(now[one.name].created != one.created for one in known.models):
        return None  # A model that was created again under its name may have other abilities.
    models = tuple(
        replace(
            one,
            loaded=now[one.name].loaded,
            # The last context is the best guess for the next time.
            context_length=now[one.name].context_length or one.context_length,
        )
        for one in known.models
    )
    return replace(known, models=models)


def advise(models: Iterable[ModelInfo]) -> list[str]:
    """A sentence for each model that runs with a shorter context than it could, and one for all
    models whose context is not known."""
    known, unknown = [], []
    for model in models:
        trained = model.trained_length or 0
        if model.embeds or not trained:
            continue
        if model.context_length is None:
            unknown.append(model)
        elif model.context_length < min(trained, _ENOUGH_TOKENS):
            known.append(
                f"{model.name} runs with a context of {model.context_length} tokens of the "
                f"{trained} that it was trained with: longer prompts are cut without an error; "
                f"{_remedy(trained)}"
            )
    if unknown:
        names = ", ".join(model.name for model in unknown[:_MAX_NAMED_MODELS])
        more = (
            f" and {len(unknown) - _MAX_NAMED_MODELS} more"
            if len(unknown) > _MAX_NAMED_MODELS
            else ""
        )
        longest = max(model.trained_length or 0 for model in unknown)
        known.append(
            f"the context that {names}{more} will run with is not known; Ollama's default can be "
            f"2048 or 4096 tokens, and longer prompts are cut without an error; {_remedy(longest)}"
        )
    return known


def _remedy(trained: int) -> str:
    tokens = min(trained, _ENOUGH_TOKENS) or _ENOUGH_TOKENS
    return (
        f"start Ollama with OLLAMA_CONTEXT_LENGTH={tokens}, or set num_ctx in the model's Modelfile"
    )


_PROFILE = Profile(
    # It does not read tool_choice at all (ollama 8421, 11171, 17921).
    choices=frozenset({Choice.AUTO}),
    candidates=False,
    images=IMAGES - {"image/gif"},
    thinking=Thinking(NO_EFFORT, history="reasoning"),
    prefill={},
    parallel_switch=False,
    messages=Messages(
        exact=False,
        documents=False,
        choices=frozenset({Choice.AUTO}),
        format=False,
        effort=False,
        counts=False,
        # It has a web search of its own.
        loses=ALL_LOSE
        | MOST_LOSE
        | {Part.FORMAT, Part.COUNT, Part.NO_TOOL, Part.ANY_TOOL, Part.NAMED_TOOL},
        loses_more=((0, 24), frozenset({Part.EFFORT})),
    ),
    # It reads ``previous_response_id`` and ignores it (ollama 15954), treats every tool as a
    # function, and does not read the other fields.
    responses=Responses(
        keeps=False,
        by_id=False,
        counts=False,
        loses=frozenset(
            {
                *("previous_response_id", "conversation", "prompt", "background", "truncation"),
                *("tool_choice", "parallel_tool_calls", "top_logprobs"),
            }
        ),
        tools=frozenset({"function"}),
    ),
)

SPEC = EngineSpec(
    name="ollama",
    title="Ollama",
    # An older release must not be assumed to speak Anthropic's protocol too.
    speaks=(Dialect.OPENAI, Dialect.OLLAMA),
    profile=_PROFILE,
    rank=10,
    ports=(11434,),
    programs=("ollama",),
    probe="/api/version",
    sends_at_once=True,
    url_ends=frozenset({"api"}),
    fingerprint=Fingerprint(_look, turn=30, owners=frozenset({"library"}), refresh=_refresh),
    contexts=Contexts(advise, _remedy),
    administration="api/pull api/push api/create api/copy api/delete api/blobs api/me api/signout",
)
