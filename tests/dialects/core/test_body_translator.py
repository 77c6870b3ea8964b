"""A reply that is held until it is complete is limited in size."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.core.body_translator import BodyTranslator
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Dialect


def test_too_large_a_reply() -> None:
    held = BodyTranslator(Dialect.GEMINI, "m", lambda reply: reply)
    assert held.feed(b"{") == b""
    with pytest.raises(StreamBroken, match="too large"):
        held.feed(bytes(MAX_HELD_BYTES))
