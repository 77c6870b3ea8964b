"""Who makes which request over for which nodes: the only place that knows the pairs."""

from __future__ import annotations

from casedesk_proxy.dialects.core.contract import Transpose
from casedesk_proxy.dialects.pairs import (
    anthropic_openai,
    counts,
    embeddings,
    gemini_anthropic,
    gemini_openai,
)
from casedesk_proxy.terms import Action, Call, Dialect

__all__ = ["transposers"]

#: (surface, action) → the node dialects that can serve it, the best first.
_GENERATE: tuple[tuple[Dialect, Transpose], ...] = (
    # Local servers' own Anthropic route knows less than their OpenAI one.
    (Dialect.OPENAI, gemini_openai.transpose),
    (Dialect.ANTHROPIC, gemini_anthropic.transpose),
)
_PAIRS: dict[tuple[Dialect, Action], tuple[tuple[Dialect, Transpose], ...]] = {
    (Dialect.GEMINI, Action.GENERATE): _GENERATE,
    (Dialect.GEMINI, Action.STREAM_GENERATE): _GENERATE,
    (Dialect.GEMINI, Action.EMBED): ((Dialect.OPENAI, embeddings.transpose_one),),
    (Dialect.GEMINI, Action.BATCH_EMBED): ((Dialect.OPENAI, embeddings.transpose_batch),),
    (Dialect.GEMINI, Action.COUNT_TOKENS): (
        (Dialect.OPENAI, counts.count_for_gemini),
        (Dialect.ANTHROPIC, gemini_anthropic.count),
    ),
    (Dialect.ANTHROPIC, Action.MESSAGES): ((Dialect.OPENAI, anthropic_openai.transpose),),
    (Dialect.ANTHROPIC, Action.COUNT_MESSAGES): ((Dialect.OPENAI, counts.count_for_anthropic),),
}


def transposers(call: Call) -> tuple[tuple[Dialect, Transpose], ...]:
    """Node dialects that ``call`` can be made over for, the best first; () where none is."""
    return _PAIRS.get((call.surface, call.action), ())
