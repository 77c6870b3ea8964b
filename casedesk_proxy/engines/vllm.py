"""vLLM. From the source of 0.33, or measured (0.32)."""

from __future__ import annotations

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask_facts
from casedesk_proxy.engines.model_lists import first_owner, openai_models
from casedesk_proxy.engines.parts import ALL_LOSE, Part
from casedesk_proxy.engines.profile import (
    CONTINUE,
    NO_TEMPLATE_THINKING,
    Choice,
    Counter,
    Messages,
    Profile,
    Responses,
    Thinking,
)
from casedesk_proxy.engines.reading import version_numbers
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Control, Dialect

__all__ = ["SPEC"]

_RESPONSES_SINCE = (0, 10)


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    version = (yield from ask_facts("/version")).get("version")
    if not isinstance(version, str):
        return None
    if first_owner(listing.json) != "vllm" and not listing.is_locked:
        return None
    return Detected(
        SPEC,
        openai_models(listing.json),
        _dialects(version),
        version=version,
        needs_key=listing.is_locked,
    )


def _dialects(version: str) -> tuple[Dialect, ...]:
    """Its Responses API came with 0.10."""
    numbers = version_numbers(version)
    lacks = bool(numbers) and numbers < _RESPONSES_SINCE
    return tuple(one for one in SPEC.speaks if one is not Dialect.RESPONSES or not lacks)


_PROFILE = Profile(
    format_forbids=frozenset({Choice.NAMED}),
    top_k=True,
    least_top_p=1e-6,
    most_stops=4,
    video="video_url",
    # ``reasoning_effort: none`` has the same effect, but older releases refuse the value.
    thinking=Thinking(NO_TEMPLATE_THINKING, "thinking_token_budget", history="reasoning"),
    # Both at once are an error.
    prefill={"add_generation_prompt": False, **CONTINUE},
    formats=frozenset({"date-time", "date", "time", "uuid", "email"}),
    counter=Counter.TOKENIZE,
    messages=Messages(
        exact=False,
        documents=False,
        loses=ALL_LOSE | {Part.SEARCH_RESULTS, Part.WEB_SEARCH},
        loses_more=(
            (0, 32),
            frozenset({Part.FORMAT, Part.THINKING_OFF, Part.BUDGET, Part.ONE_TOOL}),
        ),
        may_refuse=frozenset({Control.EFFORT, Control.LEVELS, Control.BUDGET}),
    ),
    # It stores responses only if VLLM_ENABLE_RESPONSES_API_STORE is set; otherwise its error says
    # so. Some releases fail for kinds of tools that they lack, later ones accept only functions.
    responses=Responses(
        counts=False,
        loses=frozenset({"conversation"}),
        hosted=frozenset({"mcp", "code_interpreter", "web_search_preview", "container"}),
    ),
)

SPEC = EngineSpec(
    name="vllm",
    title="vLLM",
    speaks=(Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.RESPONSES),
    profile=_PROFILE,
    rank=11,
    ports=(8000,),
    programs=("vllm",),
    probe="/health",
    sends_at_once=True,
    fingerprint=Fingerprint(_look, turn=50, owners=frozenset({"vllm"})),
    has_realtime=True,
    paths=(
        *paths.RERANK,
        *paths.SCORE,
        *paths.CLASSIFY[:1],
        *paths.POOLING,
        *paths.AUDIO,
        *paths.IMAGES,
        *paths.TOKENIZE,
        *paths.DETOKENIZE,
    ),
    administration=(
        "sleep wake_up is_sleeping collective_rpc reset_prefix_cache reset_mm_cache"
        " reset_encoder_cache server_info pause resume is_paused init_weight_transfer_engine"
        " update_weights start_weight_update finish_weight_update get_world_size"
        " scale_elastic_ep is_scaling_elastic_ep load_lora_adapter unload_lora_adapter"
        " start_profile stop_profile abort_requests fault_tolerance"
    ),
)
