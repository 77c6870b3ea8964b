"""One planner, at the daemon's end of its socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Closed,
    Facts,
    MessageKind,
    PlanRequest,
    PlanResult,
    pack,
    receive,
    send,
)
from casedesk_proxy.planners.planner import PackedFacts, Planner
from casedesk_proxy.planning.route import find_none
from tests.planners.asking import REPORTED, ask, snapshot

CONFIG = snapshot()


async def test_facts_are_told_once() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    loop = asyncio.get_running_loop()
    planner = Planner(loop, 0, ours)
    known = PackedFacts(Facts(CONFIG, REPORTED, {}))
    asked = PlanRequest.of(snapshot().deployments["d"], ask("openai", b""))
    heard = []
    with theirs:
        for _ in range(2):
            answer = asyncio.ensure_future(
                planner.plan(known, asked, HeldBody.create(b"{}"), find_none)
            )
            await asyncio.sleep(0)
            while (kind := receive(theirs, known.facts)[0]) is not MessageKind.REQUEST:
                heard.append(kind)
            send(theirs, MessageKind.RESULT, pack(PlanResult(text_size=7)))
            assert (await answer)[0].text_size == 7
        answer = asyncio.ensure_future(
            planner.plan(known, asked, HeldBody.create(b"{}"), find_none)
        )
        await asyncio.sleep(0)
    with pytest.raises(Closed):
        await answer
    assert heard == [MessageKind.FACTS]
    assert not planner.is_alive
    ours.close()


async def test_an_answer_that_cannot_be_read_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """The planner may run files that were installed since the daemon started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    planner = Planner(asyncio.get_running_loop(), 0, ours)
    asked = PlanRequest.of(CONFIG.deployments["d"], ask("openai", b""))
    with ours, theirs:
        answer = asyncio.ensure_future(
            planner.plan(
                PackedFacts(Facts(CONFIG, REPORTED, {})), asked, HeldBody.create(b"{}"), find_none
            )
        )
        await asyncio.sleep(0)
        send(theirs, MessageKind.RESULT, b"ccasedesk_proxy.planners.messages\nAnother\n.")
        with pytest.raises(Closed):
            await answer
    assert not planner.is_alive
    assert "answer cannot be read; if the files of the program were replaced" in caplog.text
