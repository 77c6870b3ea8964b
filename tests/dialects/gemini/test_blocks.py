"""The blocks of a conversation: what kind of media they are, and which of a turn they are."""

from __future__ import annotations

from casedesk_proxy.dialects.gemini.blocks import (
    ContentTurn,
    FunctionCall,
    FunctionResponse,
    Media,
    Text,
)
from tests.fixtures.table import table


@table(
    ("mime", "kind"),
    [
        ("image/png", "image"),
        ("audio/wav", "audio"),
        ("video/mp4", "video"),
        ("application/pdf", "document"),
        ("text/plain", "document"),
        ("", "document"),
    ],
)
def test_kinds(mime: str, kind: str) -> None:
    assert Media(mime, "", None, "p").kind == kind


def test_a_turn_is_read_by_kind_in_its_order() -> None:
    one, two = Text("a", "p0"), Text("b", "p3")
    call = FunctionCall("f", {}, "", "p1")
    result = FunctionResponse("f", {}, "", "p2")
    turn = ContentTurn("model", [one, call, result, two])
    assert (turn.texts(), turn.calls(), turn.results()) == ([one, two], [call], [result])
