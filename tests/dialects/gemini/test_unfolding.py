"""A reply of generateContent, as a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.gemini.unfolding import unfold_content
from casedesk_proxy.errors import StreamBroken
from tests.fixtures.table import table

CANDIDATE = {"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP"}


@table("document", [{"candidates": [CANDIDATE]}, {"promptFeedback": {"blockReason": "SAFETY"}}])
def test_one_event(document: dict[str, Any]) -> None:
    stream = unfold_content(document)
    assert stream.startswith(b"data: {")
    assert stream.endswith(b"}\r\n\r\n")
    assert json.loads(stream[6:]) == document


@table(
    ("document", "did"),
    [
        ({"ok": True}, "without an answer: it has no candidates"),
        ({"candidates": [{"content": {}}]}, "ended before it was complete"),
        ({"candidates": {"0": CANDIDATE}}, "ended before it was complete"),
    ],
)
def test_what_is_no_answer(document: dict[str, Any], did: str) -> None:
    with pytest.raises(StreamBroken, match=did):
        unfold_content(document)
