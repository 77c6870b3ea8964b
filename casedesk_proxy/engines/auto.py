"""A node of which nobody has said what it is: taken for a plain OpenAI server until it has been
recognised."""

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
