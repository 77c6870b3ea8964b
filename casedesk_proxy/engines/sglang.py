"""SGLang. Read in the source of 0.5.23 or measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask_facts
from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.engines.parts import ALL_LOSE, Part
from casedesk_proxy.engines.profile import (
    CONTINUE,
    NO_EFFORT,
    Choice,
    Counter,
    Messages,
    Profile,
    Thinking,
)
from casedesk_proxy.engines.reading import as_mapping
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo

__all__ = ["SPEC", "read_models"]


def read_models(listing: Any, model_info: Any) -> tuple[ModelInfo, ...]:
    """Of ``/v1/models`` and ``/get_model_info``."""
    details = as_mapping(model_info)
    embeds = details.get("is_generation") is False
    kinds = (
        ("is_generation", Ability.COMPLETION),
        ("has_image_understanding", Ability.VISION),
        ("has_audio_understanding", Ability.AUDIO),
    )
    lacks = frozenset(ability for kind, ability in kinds if details.get(kind) is False)
    if details.get("is_generation") is True:
        lacks |= {Ability.EMBEDDING}
    # Its Harmony path raises for an effort of ``none``.
    ignores = frozenset({Control.OFF} if details.get("model_type") == "gpt_oss" else ())
    return tuple(
        replace(info, embeds=embeds, lacks=lacks, ignores=ignores)
        for info in openai_models(listing)
    )


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    # The first name is the older one; newer releases know both, or only the second.
    facts = (yield from ask_facts("/get_model_info")) or (yield from ask_facts("/model_info"))
    if "model_path" not in facts or "is_generation" not in facts:
        return None
    return Detected(SPEC, read_models(listing.json, facts), SPEC.speaks)


_PROFILE = Profile(
    format_forbids=frozenset({Choice.REQUIRED, Choice.NAMED}),
    top_k=True,
    no_top_k=-1,
    least_top_p=1e-6,
    video="video_url",
    thinking=Thinking(NO_EFFORT, history="reasoning_content"),
    prefill=CONTINUE,
    counter=Counter.TOKENIZE,
    messages=Messages(
        exact=False,
        documents=False,
        # It refuses thinking that it cannot read.
        loses=ALL_LOSE | {Part.TOOL_CHANGES, Part.WEB_SEARCH, Part.REDACTED},
        may_refuse=frozenset({Control.EFFORT, Control.LEVELS}),
    ),
)

SPEC = EngineSpec(
    name="sglang",
    title="SGLang",
    speaks=(Dialect.OPENAI, Dialect.ANTHROPIC),
    profile=_PROFILE,
    rank=13,
    ports=(30000,),
    # /health and /health_generate generate a token, the first unless
    # SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION is off, and /get_server_info asks its scheduler
    # (srt/entrypoints/http_server.py). The list is answered by its web server alone.
    probe="/v1/models",
    sends_at_once=True,
    # It imitates Ollama.
    fingerprint=Fingerprint(_look, turn=20, owners=frozenset({"sglang"})),
)
