"""The table of Gemini's fields agrees with their treatment."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.known_fields import Fate
from casedesk_proxy.dialects.gemini.fields import MESSAGES, FieldKind
from tests.dialects.asking import HELLO, PNG, translated, with_config, with_parts, with_tools
from tests.dialects.fates import constants, find_fate

HOW: dict[str, Any] = {"name": "how"}
NOTHING = {"type": "OBJECT", "properties": {}}


def placed(message: str, field: dict[str, Any]) -> dict[str, Any]:
    """A request that contains a message of that name with this field."""
    said = HELLO["contents"][0]
    asked = {"role": "model", "parts": [{"functionCall": {**HOW, **field}}]}
    called = {"role": "model", "parts": [{"functionCall": HOW}]}
    answer = {"role": "user", "parts": [{"functionResponse": HOW}]}
    answered = {"role": "user", "parts": [{"functionResponse": {**HOW, **field}}]}
    blob = {"mimeType": "image/png", "data": PNG, **field}
    tools = {"functionDeclarations": [HOW]}
    return {
        "GenerateContentRequest": {**HELLO, **field},
        "Part": with_parts({"inlineData": {"mimeType": "video/mp4", "data": "aGk="}, **field})
        if "videoMetadata" in field
        else with_parts({"text": "Hello", **field}),
        "Blob": with_parts({"inlineData": blob}),
        "FunctionCall": {"contents": [said, asked, answer]},
        "FunctionResponse": {"contents": [said, called, answered]},
        "FunctionResponsePart": {
            "contents": [
                said,
                called,
                {"role": "user", "parts": [{"functionResponse": {**HOW, "parts": [field]}}]},
            ]
        },
        "Tool": {**HELLO, "tools": [{**tools, **field}]},
        "FunctionDeclaration": with_tools({**HOW, **field}),
        "ToolConfig": {**with_tools(HOW), "toolConfig": field},
        "FunctionCallingConfig": with_tools(HOW, mode="AUTO", **field),
        "GenerationConfig": with_config(**field),
    }[message]


def fate_of(message: str, name: str) -> Fate:
    field = MESSAGES[message][name]
    kinds = {FieldKind.IGNORED: Fate.IGNORED, FieldKind.REFUSED: Fate.REFUSED}
    return kinds.get(field.kind, field.fate) if isinstance(field.kind, FieldKind) else field.fate


#: Counting has no other node to be asked of, embedding a pair of its own.
ELSEWHERE = {"EmbedContentRequest", "CountTokensRequest", "BatchEmbedContentsRequest"}
CASES = [
    (message, name)
    for message, fields in MESSAGES.items()
    for name in fields
    if message not in ELSEWHERE and fate_of(message, name) is not Fate.MAPPED
]
VALUES: dict[FieldKind, Any] = {FieldKind.FLAG: True, FieldKind.OBJECT: {"a": 1}}


@pytest.mark.parametrize(("message", "name"), CASES)
def test_what_does_not_reach_the_node_is_listed_as_it_is(message: str, name: str) -> None:
    kind = MESSAGES[message][name].kind
    value = VALUES.get(kind, "value") if isinstance(kind, FieldKind) else "value"
    plain = placed(message, {})
    fate = fate_of(message, name)
    assert find_fate(translated, plain, placed(message, {name: value})) is fate
    assert (fate is Fate.REFUSED) <= bool(MESSAGES[message][name].why)


def test_every_field_that_is_listed_as_mapped_is_read() -> None:
    """The table decides which fields of a body are kept; this test shows that code reads them."""
    mapped = {
        name for message, fields in MESSAGES.items() for name in fields
        if fate_of(message, name) is Fate.MAPPED
    }  # fmt: skip
    readers = ("contents", "config", "tools", "request")
    pair = "pairs/gemini_openai/embeddings"
    assert mapped - constants(*(f"gemini/{one}" for one in readers), pair) == set()
