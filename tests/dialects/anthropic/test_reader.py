"""Which replies of a node that speaks Anthropic's protocol are errors."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.pairs import gemini_anthropic
from casedesk_proxy.errors import NodeError
from tests.dialects.asking import HELLO, call, context
from tests.fixtures.table import table

BEGIN = b'event: message_start\ndata: {"type":"message_start","message":{"model":"m"}}\n\n'


def test_a_delta_of_no_known_shape_is_passed_over() -> None:
    reader = gemini_anthropic.transpose(call(), HELLO, context()).translator
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
    reader = gemini_anthropic.transpose(call(), HELLO, context()).translator
    reader.feed(BEGIN)
    with pytest.raises(NodeError):
        reader.feed(event + b"\n\n")
