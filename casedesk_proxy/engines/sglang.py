"""SGLang. From the source of 0.5.23, or measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from casedesk_proxy.engines import paths
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
    """Ask ``/v1/models`` and ``/get_model_info``."""
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
    # Its Harmony path fails for an effort of ``none``.
    ignores = frozenset({Control.OFF} if details.get("model_type") == "gpt_oss" else ())
    return tuple(
        replace(info, embeds=embeds, lacks=lacks, ignores=ignores)
        for info in openai_models(listing)
    )


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    # The first name is the older one; newer releases have both, or only the second.
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
        # It refuses thinking blocks that it cannot read.
        loses=ALL_LOSE | {Part.TOOL_CHANGES, Part.WEB_SEARCH, Part.REDACTED},
        may_refuse=frozenset({Control.EFFORT, Control.LEVELS}),
    ),
)

SPEC = EngineSpec(
    name="sglang",
    title="SGLang",
    # Its /v1/responses was made for gpt-oss and its tools; functions with other models did not
    # work. Translated requests work; a node's ``speaks`` can still ask for it.
    speaks=(Dialect.OPENAI, Dialect.ANTHROPIC),
    profile=_PROFILE,
    rank=13,
    ports=(30000,),
    programs=("sglang",),
    # /health and /health_generate generate a token (the first unless
    # SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION is off), and /get_server_info asks its scheduler
    # (srt/entrypoints/http_server.py). The list is answered by its web server alone.
    probe="/v1/models",
    sends_at_once=True,
    # It imitates Ollama.
    fingerprint=Fingerprint(_look, turn=20, owners=frozenset({"sglang"})),
    paths=(
        *paths.RERANK[:1],
        *paths.SCORE[1:],
        *paths.CLASSIFY[1:],
        *paths.TRANSCRIPTIONS,
        *paths.TOKENIZE,
        *paths.DETOKENIZE,
    ),
    administration=(
        "flush_cache update_weights_from_disk update_weights_from_tensor"
        " update_weights_from_distributed update_weights_from_ipc update_weight_version"
        " init_weights_update_group destroy_weights_update_group get_weights_by_name"
        " init_weights_send_group_for_remote_instance send_weights_to_remote_instance"
        " weights_checker release_memory_occupation resume_memory_occupation"
        " set_internal_state get_server_info start_expert_distribution_record"
        " stop_expert_distribution_record dump_expert_distribution_record"
        " clear_hicache_storage_backend hicache configure_logging freeze_gc open_session"
        " close_session abort_request pause_generation continue_generation slow_down get_load"
    ),
)
