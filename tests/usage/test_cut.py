"""A prompt that its node cut without an error is recognised by its counts."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.usage.cut import cut_to, text_size
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


def test_text_about_pictures_is_text() -> None:
    body = json.dumps({"system": 'say {"type": "base64"} ' * 1000}).encode()
    assert text_size(body) == len(body)
    assert text_size(b'{"type":"base64"}' * 5000) == 0
    assert text_size(b"{}") == 0
    assert text_size(b"x" * 2**21) == 2**21
    assert text_size(b"x" * (2**21 + 1)) == 0, "looking through it would hold the loop"


def test_what_is_no_text_of_a_prompt_does_not_count_as_it() -> None:
    russian = "Расскажи мне, пожалуйста, сказку. " * 1000
    escaped, plain = json.dumps(russian).encode(), json.dumps(russian, ensure_ascii=False).encode()
    assert len(escaped) > 2.5 * len(plain)
    assert text_size(escaped) == pytest.approx(len(plain), rel=0.01)
    signed = {"text": "word " * 4000, "thoughtSignature": "QUJD" * 20_000}
    assert text_size(json.dumps(signed).encode()) < 21_000
    for data in ({"redacted_thinking": 1}, {"file_data": 1}, {"video_url": 1}, {"audio_url": 1}):
        assert text_size(json.dumps({**data, "text": "x" * 40_000}).encode()) == 0
