"""A message that came as one document, as a stream."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.anthropic.unfolding import unfold_message
from casedesk_proxy.errors import StreamBroken
from tests.dialects.anthropic_asking import events
from tests.fixtures.table import table

USAGE = {"input_tokens": 1, "output_tokens": 2}


def message(*content: Any, **more: Any) -> dict[str, Any]:
    made = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    ends = {"stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE}
    return {**made, "content": list(content), **ends, **more}


def test_a_message_begins_empty_and_ends_with_its_reason() -> None:
    document = message({"type": "text", "text": "hi"}, container={"id": "c"})
    first, *_, late, last = events(unfold_message(document))
    begun = message(stop_reason=None, container=None, usage=USAGE | {"output_tokens": 0})
    assert first == {"type": "message_start", "message": begun}
    delta = {"stop_reason": "end_turn", "stop_sequence": None, "container": {"id": "c"}}
    assert late == {"type": "message_delta", "delta": delta, "usage": USAGE}
    assert last == {"type": "message_stop"}


CITED = {"type": "char_location", "cited_text": "hi"}


@table(
    ("block", "begun", "deltas"),
    [
        (
            {"type": "text", "text": "hi", "citations": [CITED]},
            {"type": "text", "text": "", "citations": []},
            [
                {"type": "text_delta", "text": "hi"},
                {"type": "citations_delta", "citation": CITED},
            ],
        ),
        ({"type": "text", "text": ""}, {"type": "text", "text": ""}, []),
        (
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "s"},
            ],
        ),
        (
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1]}},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            [{"type": "input_json_delta", "partial_json": '{"a":[1]}'}],
        ),
        (
            {"type": "redacted_thinking", "data": "x"},
            {"type": "redacted_thinking", "data": "x"},
            [],
        ),
    ],
)
def test_blocks(block: Any, begun: Any, deltas: list[Any]) -> None:
    plain = {"type": "text", "text": "first"}
    made = unfold_message(message(plain, block))
    of_block = [one for one in events(made) if one.get("index") == 1]
    assert of_block == [
        {"type": "content_block_start", "index": 1, "content_block": begun},
        *({"type": "content_block_delta", "index": 1, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 1},
    ]


def test_a_message_without_counts() -> None:
    document = message()
    del document["usage"]
    assert events(unfold_message(document))[-2]["usage"] == {"output_tokens": 0}


@table(
    ("document", "did"),
    [
        ({"ok": True}, "without an answer: it is not a message"),
        (message(stop_reason=None), "ended before it was complete"),
        (message("text"), "malformed content block"),
    ],
)
def test_what_is_no_message(document: dict[str, Any], did: str) -> None:
    with pytest.raises(StreamBroken, match=did):
        unfold_message(document)
