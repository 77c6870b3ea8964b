"""The same list is made once, and a changed one is shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.server.catalogue import ListMemory, list_models
from casedesk_proxy.surfaces.envelopes import OwnReply
from casedesk_proxy.terms import Action, Call, Dialect, Framing, ModelInfo
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  n: {url: "http://127.0.0.1:9001", engine: openai}
  o: {url: "http://127.0.0.1:9002", engine: openai}
deployments:
  d: {nodes: [n, o], auth: none}
  prefixed: {nodes: [n], auth: none, prefix: "p-"}
"""
SNAPSHOT = make_snapshot(TEXT)
CALL = Call(Dialect.OPENAI, Action.LIST_MODELS, None, None, "", "", Framing.UNARY)
TOLD = {"n": (ModelInfo("a"), ModelInfo("b"))}


def admitted(
    call: Call = CALL, deployment: str = "d", only: tuple[str, ...] | None = None
) -> Admitted:
    spec = SNAPSHOT.deployments[deployment].for_key(only)
    return Admitted(call, spec, None, "/v1/models", CallFacts("openai"))


async def made(one: Admitted, told: Any = TOLD) -> OwnReply:
    return await list_models(one.call, one.deployment.rules, told)


async def test_the_same_list_is_made_once() -> None:
    lists = ListMemory()
    first = await lists.list_models(admitted(), SNAPSHOT, TOLD)
    assert first == await made(admitted())
    assert await lists.list_models(admitted(only=None), SNAPSHOT, TOLD) is first


async def test_nobody_is_shown_the_list_of_another_request() -> None:
    lists = ListMemory()
    first = await lists.list_models(admitted(), SNAPSHOT, TOLD)
    gemini = replace(CALL, surface=Dialect.GEMINI)
    for one in (
        admitted(deployment="prefixed"),
        admitted(only=("a",)),
        admitted(only=("b",)),
        admitted(gemini),
        admitted(replace(gemini, query="pageSize=1")),
        admitted(replace(CALL, deployment="d")),
    ):
        reply = await lists.list_models(one, SNAPSHOT, TOLD)
        assert reply == await made(one)
        assert reply != first
    assert await lists.list_models(admitted(), SNAPSHOT, TOLD) is first


async def test_a_list_of_thousands_takes_many_turns() -> None:
    told = {"n": tuple(ModelInfo(f"m{number}") for number in range(1000))}
    rounds, ended = 0, False

    async def count() -> None:
        nonlocal rounds
        while not ended:
            rounds += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    reply = await ListMemory().list_models(admitted(), SNAPSHOT, told)
    ended = True
    await counting
    assert rounds >= 10
    assert reply.body.count(b'"id"') == 1000


async def test_what_has_changed_is_shown() -> None:
    lists = ListMemory()
    await lists.list_models(admitted(), SNAPSHOT, TOLD)
    for told in ({"n": (ModelInfo("a"),)}, {**TOLD, "o": (ModelInfo("c"),)}):
        assert await lists.list_models(admitted(), SNAPSHOT, told) == await made(admitted(), told)
    other = make_snapshot(TEXT.replace("prefixed: {nodes: [n]", "prefixed: {nodes: [o]"))
    one = replace(admitted(), deployment=other.deployments["prefixed"])
    await lists.list_models(admitted(deployment="prefixed"), SNAPSHOT, TOLD)
    assert await lists.list_models(one, other, TOLD) == await made(one)


async def test_no_more_is_remembered_than_clients_ask_for() -> None:
    lists = ListMemory()
    for size in range(1, 200):
        call = replace(CALL, surface=Dialect.GEMINI, query=f"pageSize={size}")
        await lists.list_models(admitted(call), SNAPSHOT, TOLD)
    assert len(lists._made) <= 32
