"""A body before it is planned: what is recorded of it, and which bodies are held in a file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.server.body_reading import read_body, weigh_body
from casedesk_proxy.usage.cut import MIN_LOOKED_AT_BYTES
from tests.planning.configs import make_snapshot
from tests.server.clients import FakeClient, request_of

SNAPSHOT = make_snapshot("""
server: {large_body: 65536}
nodes: {n: {url: "http://127.0.0.1:9", engine: openai}}
deployments: {d: {nodes: [n], auth: none}}
""")
WIRE = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b"


class FakePlanners:
    def __init__(self, *, are_used: bool = True) -> None:
        self.are_used = are_used
        self.expected = 0

    def expect(self) -> None:
        self.expected += 1


def weigh(raw: bytes, *, are_used: bool = True) -> tuple[Any, Any]:
    """Weigh a body; returns what planning gets, and the exchange."""
    exchange = SimpleNamespace(received=0, text_size=0)
    pending = SimpleNamespace(raw=raw, exchange=exchange, snapshot=SNAPSHOT)
    weigh_body(cast(Any, pending), cast(Any, FakePlanners(are_used=are_used)))
    return pending.raw, exchange


def test_a_short_body_stays_as_it_is() -> None:
    raw = b"{}"
    weighed, exchange = weigh(raw)
    assert weighed is raw
    assert (exchange.received, exchange.text_size) == (2, 0)


def test_text_is_measured_where_it_may_be_cut() -> None:
    _, exchange = weigh(b"x" * MIN_LOOKED_AT_BYTES)
    assert exchange.text_size == exchange.received == MIN_LOOKED_AT_BYTES


def test_what_is_large_goes_apart() -> None:
    for raw in (b"x" * 65536, b"{" * 5000):
        weighed, exchange = weigh(raw)
        assert isinstance(weighed, HeldBody)
        assert weighed.read_all() == raw
        weighed.close()
        assert (exchange.received, exchange.text_size) == (len(raw), 0)
        assert weigh(raw, are_used=False)[0] is raw


@pytest.mark.parametrize(("size", "expected"), [(65535, 0), (65536, 1)])
async def test_planners_hear_of_a_large_body_before_it_has_come(size: int, expected: int) -> None:
    request = request_of(FakeClient(), WIRE % (size, b"x"))
    request.feed(b"x" * (size - 1))
    planners = FakePlanners()
    raw = await read_body(request, SNAPSHOT, cast(Any, planners))
    assert planners.expected == expected
    assert isinstance(raw, HeldBody) == bool(expected)
    assert len(raw) == size
    if isinstance(raw, HeldBody):
        raw.close()


async def test_without_planners_nothing_goes_apart() -> None:
    request = request_of(FakeClient(), WIRE % (65536, b"x"))
    request.feed(b"x" * 65535)
    planners = FakePlanners(are_used=False)
    assert await read_body(request, SNAPSHOT, cast(Any, planners)) == b"x" * 65536
