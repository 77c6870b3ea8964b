"""Which pair translates which request for which nodes: the only place that knows the pairs.

A new pair has to provide:

* for a client protocol that is new, a package of its own beside ``gemini`` and ``anthropic``:
  ``request``, which reads a body into a frozen value and puts its faults into ``Findings``, and
  ``writer``, a ``core.reply.ReplyWriter``;
* for a node protocol that is new, in the package of that protocol, as in ``openai``: ``builder``,
  the pieces of its requests, and ``reader``, a ``core.reply.ReplyReader``;
* a package in ``pairs`` that only maps: the client's value to the node's request, with what
  the node cannot take refused or dropped in ``Findings``, and a
  ``core.stream_translator.StreamTranslator`` of the node's reader and the client's writer. What it
  exports are ``core.contract.Translate`` functions. It imports no other pair;
* a line below for each action, the best node protocol first.

Imports lead down: registry, pairs, protocols (which do not know each other), ``schema``, ``core``,
``node_errors``. tests/test_layering.py holds them to it.
"""

from __future__ import annotations

from casedesk_proxy.dialects.core.contract import Translate
from casedesk_proxy.dialects.pairs import (
    anthropic_openai,
    gemini_anthropic,
    gemini_openai,
    responses_openai,
)
from casedesk_proxy.terms import Action, Call, Dialect

__all__ = ["find_translations"]

#: (surface, action) → the node dialects that can serve it, the best first.
_GENERATE: tuple[tuple[Dialect, Translate], ...] = (
    # The Anthropic route of local servers supports less than their OpenAI route.
    (Dialect.OPENAI, gemini_openai.translate),
    (Dialect.ANTHROPIC, gemini_anthropic.translate),
)
_PAIRS: dict[tuple[Dialect, Action], tuple[tuple[Dialect, Translate], ...]] = {
    (Dialect.GEMINI, Action.GENERATE): _GENERATE,
    (Dialect.GEMINI, Action.STREAM_GENERATE): _GENERATE,
    (Dialect.GEMINI, Action.EMBED): ((Dialect.OPENAI, gemini_openai.embed_one),),
    (Dialect.GEMINI, Action.BATCH_EMBED): ((Dialect.OPENAI, gemini_openai.embed_batch),),
    (Dialect.GEMINI, Action.COUNT_TOKENS): (
        (Dialect.OPENAI, gemini_openai.count),
        (Dialect.ANTHROPIC, gemini_anthropic.count),
    ),
    (Dialect.ANTHROPIC, Action.MESSAGES): ((Dialect.OPENAI, anthropic_openai.translate),),
    (Dialect.ANTHROPIC, Action.COUNT_MESSAGES): ((Dialect.OPENAI, anthropic_openai.count),),
    (Dialect.RESPONSES, Action.RESPOND): ((Dialect.OPENAI, responses_openai.translate),),
    (Dialect.RESPONSES, Action.COUNT_RESPONSE): ((Dialect.OPENAI, responses_openai.count),),
}


def find_translations(call: Call) -> tuple[tuple[Dialect, Translate], ...]:
    """Node dialects to which ``call`` can be translated, the best first; () if there is none."""
    return _PAIRS.get((call.surface, call.action), ())
