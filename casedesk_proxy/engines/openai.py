"""OpenAI's API, or a server with the same API that is not another engine here."""

from __future__ import annotations

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.inquiries import Asking, NodeAnswer
from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.engines.spec import Detected, EngineSpec, Fingerprint
from casedesk_proxy.terms import Dialect

__all__ = ["SPEC"]


def _look(listing: NodeAnswer) -> Asking[Detected | None]:
    """Any server that lists models as OpenAI does."""
    yield from ()
    if not isinstance(listing.facts.get("data"), list):
        return None
    return Detected(SPEC, openai_models(listing.json), SPEC.speaks)


SPEC = EngineSpec(
    name="openai",
    title="a server with OpenAI's API",
    speaks=(Dialect.OPENAI,),
    rank=92,
    # All engines have OpenAI's list.
    fingerprint=Fingerprint(_look, turn=100),
    tells_facts=False,
    has_realtime=True,
    takes_documents=True,
    max_inline=50 * 10**6,
    paths=(*paths.RERANK, *paths.SCORE, *paths.CLASSIFY, *paths.AUDIO, *paths.IMAGES),
)
