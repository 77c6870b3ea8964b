"""Messages between the two processes arrive as they were sent, with their descriptors."""

from __future__ import annotations

import socket

import pytest

from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Closed,
    Facts,
    MessageKind,
    PlanRequest,
    facts_of,
    pack,
    receive,
    send,
    unpack,
)
from tests.planners.asking import REPORTED, ask, snapshot

CONFIG = snapshot()


def test_a_letter_with_its_bodies() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            receive(theirs)
        send(
            ours,
            MessageKind.KEEPER,
            pack(("a", 1)),
            [HeldBody.create(b"one"), HeldBody.create(b"")],
        )
        kind, value, bodies = receive(theirs)
        assert (kind, value) == (MessageKind.KEEPER, ("a", 1))
        assert [body.read_all() for body in bodies] == [b"one", b""]
        ours.close()
        with pytest.raises(Closed):
            receive(theirs)


def test_what_both_sides_have_goes_by_its_name() -> None:
    facts = Facts(CONFIG, REPORTED, {})
    node, deployment = CONFIG.nodes["n"], CONFIG.deployments["d"]
    data = pack([node, deployment, node.engine])
    assert len(data) < 200
    found = unpack(data, facts)
    assert found[0] is node
    assert found[1] is deployment
    assert found[2] is node.engine


def test_facts_and_requests_hold_no_key() -> None:
    told = unpack(pack(facts_of(CONFIG, REPORTED, CONFIG.nodes)), None)
    assert told.nodes["n"].key is None
    assert not told.snapshot.keys
    asked = PlanRequest.of(snapshot().deployments["d"], ask("openai", b"{}"))
    assert asked.headers == ((b"anthropic-version", b"2023-06-01"), (b"user-agent", b"test"))
