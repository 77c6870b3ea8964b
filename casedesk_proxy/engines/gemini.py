"""Google's Gemini API, or a server with the same API."""

from __future__ import annotations

from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Dialect

__all__ = ["SPEC"]

SPEC = EngineSpec(
    name="gemini",
    title="a server with Gemini's API",
    speaks=(Dialect.GEMINI,),
    rank=90,
    probe=None,
    other_names=frozenset({"google"}),
    tells_facts=False,
    max_inline=20 * 10**6,
)
