"""Anthropic's API, or a server with the same API."""

from __future__ import annotations

from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Dialect

__all__ = ["SPEC"]

SPEC = EngineSpec(
    name="anthropic",
    title="a server with Anthropic's API",
    speaks=(Dialect.ANTHROPIC,),
    rank=91,
    probe=None,
    other_names=frozenset({"claude"}),
    tells_facts=False,
    max_inline=32 * 10**6,
)
