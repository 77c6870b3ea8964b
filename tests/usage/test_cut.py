"""A prompt that its node cut without an error shows in its numbers."""

from __future__ import annotations

from casedesk_proxy.usage.cut import cut_to
from tests.fixtures.table import table


@table(
    ("size", "counted", "limit", "guess", "cut"),
    [
        # Claude Code's first prompt at Ollama's default, measured.
        (76317, 2048, None, True, 2048),
        (76317, 2048, 2048, True, 2048),
        (76317, 2048, None, False, None),
        (76317, 2040, 2048, False, 2048),
        # Whole turns were dropped until the rest fitted.
        (76317, 1500, 2048, False, 2048),
        (200_000, 3100, 4096, False, 4096),
        # An ordinary prompt, whatever its language.
        (76317, 19_000, 32768, False, None),
        (76317, 19_000, None, True, None),
        (30_000, 4096, None, True, None),
        (16_500, 4090, 4096, False, None),
        # A template that shows the model none of its tools.
        (76317, 40, 2048, False, None),
        (76317, 40, None, True, None),
        # Too short to tell.
        (9000, 2048, 2048, True, None),
        (76317, 0, 2048, True, None),
        # More than there is room for: the limit was another one.
        (76317, 9000, 4096, False, None),
    ],
)
def test_what_is_a_cut(
    size: int, counted: int, limit: int | None, guess: bool, cut: int | None
) -> None:
    assert cut_to(size, counted, limit, guess=guess) == cut
