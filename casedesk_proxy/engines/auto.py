"""A node without a configured engine: treated as a plain OpenAI server until its engine is
detected."""

from __future__ import annotations

from casedesk_proxy.engines import paths
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Dialect

__all__ = ["SPEC"]

SPEC = EngineSpec(
    name="auto",
    title="not known yet",
    speaks=(Dialect.OPENAI,),
    rank=0,
    paths=paths.EVERY,
    has_realtime=True,
)
