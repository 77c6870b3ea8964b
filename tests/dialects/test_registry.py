"""Which nodes serve which calls, and in what order they are tried."""

from __future__ import annotations

from casedesk_proxy.dialects.pairs import anthropic_openai, gemini_anthropic, gemini_openai
from casedesk_proxy.dialects.registry import find_translations
from casedesk_proxy.terms import Action, Call, Dialect
from tests.fixtures.table import table

G, A, O = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI  # noqa: E741


@table(
    ("surface", "action", "dialects"),
    [
        (G, Action.GENERATE, [O, A]),
        (G, Action.STREAM_GENERATE, [O, A]),
        (G, Action.COUNT_TOKENS, [O, A]),
        (G, Action.EMBED, [O]),
        (G, Action.BATCH_EMBED, [O]),
        (A, Action.MESSAGES, [O]),
        (A, Action.COUNT_MESSAGES, [O]),
        (O, Action.CHAT, []),
        (O, Action.EMBEDDINGS, []),
        (G, Action.LIST_MODELS, []),
    ],
)
def test_preference(surface: Dialect, action: Action, dialects: list[Dialect]) -> None:
    found = find_translations(Call(surface, action, None))
    assert [dialect for dialect, _ in found] == dialects


def test_who_does_it() -> None:
    first, second = find_translations(Call(G, Action.GENERATE, None))
    assert first == (O, gemini_openai.translate)
    assert second == (A, gemini_anthropic.translate)
    assert find_translations(Call(A, Action.MESSAGES, None)) == ((O, anthropic_openai.translate),)
