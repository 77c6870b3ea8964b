"""Which replies of a node that speaks Anthropic's protocol are errors."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.core.calls import MAX_CALLS
from casedesk_proxy.dialects.pairs import gemini_anthropic
from casedesk_proxy.errors import NodeError, StreamBroken
from tests.dialects.asking import HELLO, call, context
from tests.fixtures.table import table

BEGIN = b'event: message_start\ndata: {"type":"message_start","message":{"model":"m"}}\n\n'


def test_a_delta_of_no_known_shape_is_passed_over() -> None:
    reader = gemini_anthropic.translate(call(), HELLO, context()).translator
    reader.feed(BEGIN)
    assert reader.feed(b'data: {"type":"content_block_delta","index":0,"delta":7}\n\n') == b""


@table(
    "event",
    [
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}',
        b'event: error\ndata: {"message":"no shape at all"}',
        b'data: {"type":"error"}',
    ],
)
def test_an_error_by_its_name_or_by_its_type(event: bytes) -> None:
    reader = gemini_anthropic.translate(call(), HELLO, context()).translator
    reader.feed(BEGIN)
    with pytest.raises(NodeError):
        reader.feed(event + b"\n\n")


def test_numbers_of_a_call_whose_input_comes_at_once_are_exact() -> None:
    reader = gemini_anthropic.translate(call(), HELLO, context()).translator
    reader.feed(BEGIN)
    reader.feed(
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use",'
        b'"id":"t","name":"f","input":{"n":123456789012345678901}}}\n\n'
    )
    reader.feed(b'data: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}\n\n')
    assert b'{"n":123456789012345678901}' in reader.feed(b'data: {"type":"message_stop"}\n\n')


def test_calls_are_counted() -> None:
    reader = gemini_anthropic.translate(call(), HELLO, context()).translator
    reader.feed(BEGIN)
    block = (
        b'data: {"type":"content_block_start","index":%d,"content_block":{"type":"tool_use",'
        b'"id":"t%d","name":"f","input":{}}}\n\n'
    )
    for at in range(MAX_CALLS):
        reader.feed(block % (at, at))
    with pytest.raises(StreamBroken, match="too many tool calls"):
        reader.feed(block % (MAX_CALLS, MAX_CALLS))
