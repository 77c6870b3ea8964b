"""Text Generation Inference. From the source of 3.3.7 and its documentation."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask_facts
from casedesk_proxy.engines.profile import (
    ANY_CHOICE,
    CONTINUE,
    Counter,
    Profile,
    Thinking,
)
from casedesk_proxy.engines.reading import as_count, as_mapping, as_text
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Dialect, ModelInfo

__all__ = ["SPEC", "read_models"]


def read_models(info: Any) -> tuple[ModelInfo, ...]:
    """From ``/info``: it serves one model."""
    details = as_mapping(info)
    name = as_text(details.get("model_id"))
    if name is None:
        return ()
    total = as_count(details.get("max_total_tokens"))
    read = as_count(details.get("max_input_tokens")) or as_count(details.get("max_input_length"))
    written = total - read if total and read and total > read else None
    return (ModelInfo(name=name, context_length=read or total, output_limit=written),)


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    facts = yield from ask_facts("/info")
    # TEI, its counterpart for embeddings, has the same page without a limit of generated tokens.
    if "model_id" not in facts or "max_total_tokens" not in facts:
        return None
    version = facts.get("version")
    return Detected(
        SPEC,
        read_models(facts),
        SPEC.speaks,
        version=version if isinstance(version, str) else None,
    )


_PROFILE = Profile(
    format_forbids=ANY_CHOICE,
    least_top_p=1e-6,
    whole_top_p=False,
    candidates=False,
    most_stops=4,
    most_logprobs=5,
    audio=False,
    thinking=Thinking(effort=False),
    prefill=CONTINUE,
    empty_content="",
    parallel_switch=False,
    counter=Counter.CHAT_TOKENIZE,
    embeds=False,
)

SPEC = EngineSpec(
    name="tgi",
    title="TGI",
    speaks=(Dialect.OPENAI,),
    profile=_PROFILE,
    tested=False,
    rank=14,
    ports=(8080, 3000),
    programs=("text-generation-launcher", "text-generation-router"),
    # /health generates a token while the server is unhealthy, and uses the device otherwise
    # (router/src/server.rs, Backend::health). This page is answered by its web server alone.
    probe="/info",
    fingerprint=Fingerprint(_look, turn=40),
    paths=paths.TOKENIZE,
)
