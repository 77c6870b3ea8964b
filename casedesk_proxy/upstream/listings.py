"""What engines say about their models beyond the list that their protocol has: one pure function
per engine's replies.

Parsed JSON in, hostile shapes included; what is not there is None. The places of each fact are
measured (llama-server b11549, vLLM 0.32, SGLang 0.5.23, Ollama 0.9.3); TGI's are from its
documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from casedesk_proxy.jsonio import read_count
from casedesk_proxy.surfaces.catalogues import read_catalogue
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo

__all__ = [
    "as_mapping",
    "llama_embeds",
    "llama_models",
    "ollama_models",
    "openai_models",
    "owner",
    "sglang_models",
    "tgi_models",
]

#: Families of embedding models, for Ollamas too old to tell capabilities.
_EMBEDDING_FAMILIES = {"bert", "nomic-bert", "nomic-bert-moe", "xlm-roberta", "jina-bert-v2"}


#: A template of a model that thinks has a word for it.
_THINKS = re.compile(r"think|reason|<\|channel", re.IGNORECASE)
#: gpt-oss writes its thoughts into a channel that cannot be closed.
_HARMONY = "<|channel|>analysis"


def as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def owner(listing: Any) -> str:
    """``owned_by`` of the first model of an OpenAI list: vllm, sglang and llamacpp name
    themselves there, Ollama writes library."""
    return next((info.owned_by or "" for info in openai_models(listing)), "")


def openai_models(listing: Any) -> tuple[ModelInfo, ...]:
    """``GET /v1/models`` of servers in general."""
    return read_catalogue(Dialect.OPENAI, listing)


def llama_embeds(status: int, answer: Any) -> bool:
    """What llama-server answers to a request for embeddings without any text: 501 where it was
    started without ``--embeddings``, and where it makes some it misses the text."""
    told = _text(as_mapping(as_mapping(answer).get("error")).get("message")) or ""
    return status == 400 and '"input"' in told


def llama_models(listing: Any, props: Any) -> tuple[ModelInfo, ...]:
    """llama-server's ``/v1/models`` and ``/props``. The context is a slot's, not the whole."""
    settings = as_mapping(as_mapping(props).get("default_generation_settings"))
    told = {one["id"]: one for one in _entries(listing, "data", "id")}
    lookalikes = {one["name"]: one for one in _entries(listing, "models", "name")}
    models = []
    for info in openai_models(listing):
        capabilities = _texts(lookalikes.get(info.name, {}).get("capabilities"))
        # Only a server with several models tells which of them are loaded.
        status = as_mapping(told[info.name].get("status")).get("value")
        model = replace(
            info,
            context_length=info.context_length or _count(settings.get("n_ctx")),
            embeds="embedding" in capabilities and "completion" not in capabilities,
            also_embeds={"embedding", "completion"} <= set(capabilities),
            loaded=status == "loaded" if isinstance(status, str) else None,
            trained_length=_count(as_mapping(told[info.name].get("meta")).get("n_ctx_train")),
            lacks=_llama_lacks(as_mapping(props)),
            ignores=_template_ignores(as_mapping(props).get("chat_template")),
            heeds=_template_heeds(as_mapping(props).get("chat_template")),
        )
        # It answers to each of its aliases, and lists only the first as a model.
        names = dict.fromkeys([info.name, *_texts(told[info.name].get("aliases"))])
        models += [
            replace(model, name=name, alias_of="" if name == info.name else info.name)
            for name in names
        ]
    return tuple(models)


def _llama_lacks(props: Mapping[str, Any]) -> frozenset[Ability]:
    """llama-server tells its ``modalities`` and its chat template; with several models, of none
    of them."""
    told = as_mapping(props.get("modalities"))
    kinds = (("vision", Ability.VISION), ("audio", Ability.AUDIO))
    lacks = {ability for kind, ability in kinds if told.get(kind) is False}
    template = _text(props.get("chat_template"))
    if template and not _THINKS.search(template):
        lacks.add(Ability.THINKING)
    return frozenset(lacks)


def _template_ignores(template: Any) -> frozenset[Control]:
    """What a chat template has no place for is read by nothing at llama-server. A block that the
    template has opened for thoughts is closed there whether or not it knows the switch."""
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


def sglang_models(listing: Any, model_info: Any) -> tuple[ModelInfo, ...]:
    """SGLang's ``/v1/models`` and ``/get_model_info``."""
    told = as_mapping(model_info)
    embeds = told.get("is_generation") is False
    kinds = (
        ("is_generation", Ability.COMPLETION),
        ("has_image_understanding", Ability.VISION),
        ("has_audio_understanding", Ability.AUDIO),
    )
    lacks = frozenset(ability for kind, ability in kinds if told.get(kind) is False)
    if told.get("is_generation") is True:
        lacks |= {Ability.EMBEDDING}
    # Its Harmony path raises for an effort of ``none``.
    ignores = frozenset({Control.OFF} if told.get("model_type") == "gpt_oss" else ())
    return tuple(
        replace(info, embeds=embeds, lacks=lacks, ignores=ignores)
        for info in openai_models(listing)
    )


def tgi_models(info: Any) -> tuple[ModelInfo, ...]:
    """TGI's ``/info``: it serves one model."""
    told = as_mapping(info)
    name = _text(told.get("model_id"))
    if name is None:
        return ()
    total = _count(told.get("max_total_tokens"))
    read = _count(told.get("max_input_tokens")) or _count(told.get("max_input_length"))
    written = total - read if total and read and total > read else None
    return (ModelInfo(name=name, context_length=read or total, output_limit=written),)


def ollama_models(tags: Any, loaded: Any, shown: Mapping[str, Any]) -> tuple[ModelInfo, ...]:
    """Ollama's ``/api/tags``, ``/api/ps`` and, by model name, ``/api/show``.

    The context is the one that a loaded model runs with, else the one that its parameters set.
    The server's default is told nowhere, and what the model was trained with is more by far.
    """
    running = {entry["name"]: entry for entry in _entries(loaded, "models", "name")}
    models = []
    for entry in _entries(tags, "models", "name"):
        name = entry["name"]
        show = as_mapping(shown.get(name))
        capabilities = _texts(show.get("capabilities"))
        families = _texts(as_mapping(entry.get("details")).get("families"))
        embeds = (
            "embedding" in capabilities and "completion" not in capabilities
            if capabilities
            else not _EMBEDDING_FAMILIES.isdisjoint(families)
        )
        models.append(
            ModelInfo(
                name=name,
                context_length=_count(running.get(name, {}).get("context_length"))
                or _parameter(show, "num_ctx"),
                created=_epoch(entry.get("modified_at")),
                owned_by="library",
                embeds=embeds,
                also_embeds={"embedding", "completion"} <= set(capabilities),
                thinks="thinking" in capabilities,
                loaded=name in running,
                trained_length=_trained_context(show),
                lacks=_ollama_lacks(capabilities, show),
                ignores=frozenset({Control.OFF} if "gptoss" in families else ()),
            )
        )
    return tuple(models)


def _trained_context(show: Mapping[str, Any]) -> int | None:
    facts = as_mapping(show.get("model_info"))
    return _count(facts.get(f"{facts.get('general.architecture')}.context_length"))


def _parameter(show: Mapping[str, Any], name: str) -> int | None:
    """One of a model's parameters, which Ollama writes as lines of name and value."""
    text = show.get("parameters")
    for line in text.splitlines() if isinstance(text, str) else ():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdecimal() and len(words[1]) < 10:
            return _count(int(words[1]))
    return None


def _ollama_lacks(capabilities: list[str], show: Mapping[str, Any]) -> frozenset[Ability]:
    """Of a model that tells its capabilities at all. It makes embeddings whatever it tells; what a
    projector of its own takes is not told here."""
    if not capabilities:
        return frozenset()
    lacks = frozenset(Ability) - {Ability.EMBEDDING, *capabilities}
    return lacks - {Ability.VISION, Ability.AUDIO} if show.get("projector_info") else lacks


def _entries(listing: Any, key: str, name: str) -> Iterator[dict[str, Any]]:
    entries = as_mapping(listing).get(key)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and _text(entry.get(name)) is not None:
            yield entry


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _count(value: Any) -> int | None:
    return read_count(value) or None


def _epoch(value: Any) -> int | None:
    """Seconds since 1970 of an RFC 3339 time; Go's zero time (year 1) is none."""
    if not isinstance(value, str):
        return None
    try:
        return _count(int(datetime.fromisoformat(value).timestamp()))
    except (ValueError, OverflowError):
        return None
