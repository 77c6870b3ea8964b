"""LM Studio. From its documentation (0.4.1) and its bug tracker; not tested against a real server.

What its documentation does not mention is assumed to be missing: it is refused, or left out with a
warning. It answers 200 to unknown paths, with an error in the body (bug reports).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask_facts
from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.engines.parts import ALL_LOSE, MOST_LOSE, Part
from casedesk_proxy.engines.profile import (
    IMAGES,
    Choice,
    Messages,
    Profile,
    Responses,
    Thinking,
)
from casedesk_proxy.engines.reading import as_count, as_mapping, as_text, as_texts, named_entries
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo

__all__ = ["SPEC", "read_models"]

_STATES = ("loaded", "not-loaded")
#: The protocols of a release that has the newer list: OpenAI's Responses came with 0.3.29.
_NEWER: tuple[Dialect, ...] = (Dialect.OPENAI, Dialect.RESPONSES)


def read_models(listing: Any, native: Any) -> tuple[ModelInfo, ...]:
    """From ``/v1/models`` and ``/api/v1/models`` (0.4.0) or ``/api/v0/models`` (0.3.6).

    The list contains either all models on the disk, which are loaded at their first use, or only
    the loaded ones. For models that are not loaded the later context is not known.
    """
    details = {one["id"]: _read_old(one) for one in named_entries(native, "data", "id")}
    for entry in named_entries(native, "models", "key"):
        details[entry["key"]] = _read_new(entry)
        for instance in named_entries(entry, "loaded_instances", "id"):
            # One model may be loaded several times, each time under another name.
            details.setdefault(instance["id"], _read_new(entry, instance))
    return tuple(replace(info, **details.get(info.name, {})) for info in openai_models(listing))


def _read_new(entry: Mapping[str, Any], loaded: Mapping[str, Any] | None = None) -> dict[str, Any]:
    first = loaded or next(named_entries(entry, "loaded_instances", "id"), None)
    capabilities = as_mapping(entry.get("capabilities"))
    options = as_texts(as_mapping(capabilities.get("reasoning")).get("allowed_options"))
    lacks = {Ability.EMBEDDING} if entry.get("type") == "llm" else set()
    if capabilities.get("vision") is False:
        lacks.add(Ability.VISION)
    return {
        **_read_kind(entry.get("type") == "embedding", lacks),
        "context_length": as_count(
            as_mapping(as_mapping(first).get("config")).get("context_length")
        ),
        "trained_length": as_count(entry.get("max_context_length")),
        "loaded": first is not None,
        "thinks": bool({"on", "low", "medium", "high"} & set(options)),
        "ignores": frozenset({Control.OFF} if options and "off" not in options else ()),
    }


def _read_old(entry: Mapping[str, Any]) -> dict[str, Any]:
    kind = entry.get("type")
    lacks = {Ability.EMBEDDING} if kind in ("llm", "vlm") else set()
    if kind == "llm":
        lacks.add(Ability.VISION)
    state = entry.get("state")
    return {
        **_read_kind(kind == "embeddings", lacks),
        "context_length": as_count(entry.get("loaded_context_length")),
        "trained_length": as_count(entry.get("max_context_length")),
        "loaded": state == "loaded" if state in _STATES else None,
    }


def _read_kind(embeds: bool, lacks: set[Ability]) -> dict[str, Any]:
    only = frozenset(Ability) - {Ability.EMBEDDING}
    return {"embeds": embeds, "lacks": only if embeds else frozenset(lacks)}


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    native, dialects = (yield from ask_facts("/api/v1/models")), _NEWER
    if not any("loaded_instances" in one for one in named_entries(native, "models", "key")):
        native, dialects = (yield from ask_facts("/api/v0/models")), SPEC.speaks
        states = (one.get("state") for one in named_entries(native, "data", "id"))
        if not any(as_text(state) in _STATES for state in states):
            return None
    models = read_models(listing.json if listing.status == 200 else None, native)
    return Detected(SPEC, models, dialects)


_PROFILE = Profile(
    # ``required`` is only effective for models of llama.cpp, according to its changelog (0.3.15).
    choices=frozenset({Choice.AUTO, Choice.REQUIRED}),
    format_forbids=frozenset({Choice.REQUIRED}),
    top_k=True,
    candidates=False,
    # It answers 400 to ``json_object`` (lmstudio-bug-tracker 189).
    json_mode=False,
    logprobs=False,
    images=IMAGES - {"image/gif"},
    audio=False,
    thinking=Thinking(effort=False),
    parallel_switch=False,
    dimensions=False,
    messages=Messages(
        exact=False,
        documents=False,
        choices=frozenset({Choice.AUTO, Choice.REQUIRED}),
        format=False,
        disables_thinking=False,
        budgets=False,
        effort=False,
        counts=False,
        loses=ALL_LOSE
        | MOST_LOSE
        | {Part.FORMAT, Part.THINKING_OFF, Part.BUDGET, Part.EFFORT, Part.WEB_SEARCH}
        | {Part.NO_TOOL, Part.NAMED_TOOL, Part.ONE_TOOL, Part.COUNT},
    ),
    responses=Responses(
        by_id=False,
        counts=False,
        loses=frozenset(
            {
                *("conversation", "prompt", "background", "truncation", "text.format"),
                *("tool_choice", "parallel_tool_calls", "top_logprobs"),
            }
        ),
        tools=frozenset({"function", "mcp"}),
    ),
)

SPEC = EngineSpec(
    name="lmstudio",
    title="LM Studio",
    # /v1/messages came with 0.4.1, and no answer of the server contains its version.
    speaks=(Dialect.OPENAI,),
    profile=_PROFILE,
    tested=False,
    ports=(1234,),
    programs=("lms", "llmster"),
    other_names=frozenset({"lm-studio", "lm_studio", "lm studio"}),
    fingerprint=Fingerprint(_look, owners=frozenset({"organization_owner"})),
    administration="api/v1/models/load api/v1/models/unload api/v1/models/download",
)
