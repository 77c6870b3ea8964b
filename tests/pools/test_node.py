"""Healthy, full, available: three words, three meanings."""

from __future__ import annotations

import pytest

from casedesk_proxy.pools.node import COOL_DOWN, NodeState


def test_a_new_node_is_available() -> None:
    assert NodeState("a").is_available(0.0)


def test_full_is_not_unhealthy() -> None:
    state = NodeState("a", limit=1)
    state.begin()
    assert state.is_full()
    assert state.is_healthy(0.0)
    assert not state.is_available(0.0)
    state.end()
    assert state.is_available(0.0)


def test_a_failed_node_is_left_alone_for_a_while() -> None:
    state = NodeState("a")
    state.fail(100.0, "refused")
    assert not state.is_available(100.0 + COOL_DOWN / 2)
    assert state.is_available(100.0 + COOL_DOWN)
    assert state.last_error == "refused"
    state.fail(200.0, "refused")
    state.recover()
    assert state.is_available(200.0)


def test_ending_twice_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        NodeState("a").end()
