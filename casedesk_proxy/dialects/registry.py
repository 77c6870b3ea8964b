"""Who makes which request over for which nodes: the only place that knows the pairs."""

from __future__ import annotations

from casedesk_proxy.dialects import anthropic_openai, counts, embeddings, gemini_openai
from casedesk_proxy.dialects.base import Transpose
from casedesk_proxy.terms import Action, Call, Dialect

__all__ = ["transposers"]

#: (surface, action) → the node dialects that can serve it, the best first.
_PAIRS: dict[tuple[Dialect, Action], tuple[tuple[Dialect, Transpose], ...]] = {
    (Dialect.GEMINI, Action.GENERATE): ((Dialect.OPENAI, gemini_openai.transpose),),
    (Dialect.GEMINI, Action.STREAM_GENERATE): ((Dialect.OPENAI, gemini_openai.transpose),),
    (Dialect.GEMINI, Action.EMBED): ((Dialect.OPENAI, embeddings.transpose_one),),
    (Dialect.GEMINI, Action.BATCH_EMBED): ((Dialect.OPENAI, embeddings.transpose_batch),),
    (Dialect.GEMINI, Action.COUNT_TOKENS): ((Dialect.OPENAI, counts.count_for_gemini),),
    (Dialect.ANTHROPIC, Action.MESSAGES): ((Dialect.OPENAI, anthropic_openai.transpose),),
    (Dialect.ANTHROPIC, Action.COUNT_MESSAGES): ((Dialect.OPENAI, counts.count_for_anthropic),),
}


def transposers(call: Call) -> tuple[tuple[Dialect, Transpose], ...]:
    """Node dialects that ``call`` can be made over for, the best first; () where none is."""
    return _PAIRS.get((call.surface, call.action), ())
