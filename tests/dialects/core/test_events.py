"""A node's event must be an object; otherwise the reply is broken."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.core.events import read_object, read_reply, text_or_blank
from casedesk_proxy.errors import NodeError, StreamBroken


def test_an_object() -> None:
    assert read_object(b'{"a": 1}') == {"a": 1}


def test_an_error_is_the_node_s() -> None:
    with pytest.raises(NodeError) as caught:
        read_object(b'{"error": {"code": 503, "message": "loading"}}')
    assert caught.value.answered == 503


@pytest.mark.parametrize(
    ("payload", "did"), [(b"<html>", "an event that is not JSON"), (b"[1]", "not an object")]
)
def test_anything_else_is_broken(payload: bytes, did: str) -> None:
    with pytest.raises(StreamBroken, match=did):
        read_object(payload)


def test_numbers_of_a_whole_reply_are_exact() -> None:
    assert read_reply(b'{"input": {"id": 123456789012345678901}}') == {
        "input": {"id": 123456789012345678901}
    }
    with pytest.raises(StreamBroken, match="a reply that is not JSON"):
        read_reply(b"{")


def test_a_text_or_nothing() -> None:
    assert (text_or_blank("a"), text_or_blank(None), text_or_blank(7)) == ("a", "", "")
