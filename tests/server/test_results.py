"""An answer that needs no node, as a reply of the proxy."""

from __future__ import annotations

from casedesk_proxy.dialects.core.contract import Answered
from casedesk_proxy.server.results import Own


def test_an_answer_of_a_plan_is_a_whole_reply() -> None:
    reply = Own.of(Answered(b'{"totalTokens":1}', (("x-casedesk-token-count", "estimate"),))).reply
    assert (reply.status, reply.body) == (200, b'{"totalTokens":1}')
    assert reply.headers == (
        (b"content-type", b"application/json"), (b"x-casedesk-token-count", b"estimate"),
    )  # fmt: skip
