"""``transformers serve``. Measured (5.17 on a GPU, 5.24 on a CPU)."""

from __future__ import annotations

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.inquiries import Asking, NodeAnswer, ask_facts
from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.engines.profile import NO_TEMPLATE_THINKING, Choice, Profile, Thinking
from casedesk_proxy.engines.reading import as_mapping
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Dialect

__all__ = ["SPEC"]


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    """No answer contains its name. Its OpenAPI description, which FastAPI writes, has two paths
    that no other engine has; its list is that of a folder of models, and answers 500 if there is
    none (measured, 5.17)."""
    if listing.server != "uvicorn":
        return None
    paths = as_mapping((yield from ask_facts("/openapi.json")).get("paths"))
    if not {"/load_model", "/reset"} <= paths.keys():
        return None
    models = openai_models(listing.json if listing.status == 200 else None)
    return Detected(SPEC, models, SPEC.speaks)


#: It answers 200 although it ignores a field, and 422 to names that OpenAI lacks.
_PROFILE = Profile(
    choices=frozenset({Choice.AUTO}),
    candidates=False,
    presence_penalty=False,
    follows_format=False,
    logprobs=False,
    thinking=Thinking(NO_TEMPLATE_THINKING, effort=False),
    parallel_switch=False,
    embeds=False,
)

SPEC = EngineSpec(
    name="transformers",
    title="transformers serve",
    # Its /v1/responses always answers with events.
    speaks=(Dialect.OPENAI,),
    profile=_PROFILE,
    rank=15,
    ports=(8000,),
    programs=("transformers",),
    # Its list reads a folder at each inquiry.
    probe="/health",
    sends_at_once=True,
    fingerprint=Fingerprint(_look, turn=60),
    paths=paths.TRANSCRIPTIONS,
    administration="load_model reset",
)
