"""Lists of models are made once for as long as nothing has changed."""

from __future__ import annotations

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


def made(one: Admitted, told: Any = TOLD) -> OwnReply:
    return list_models(one.call, one.deployment.rules, told)


def test_the_same_list_is_made_once() -> None:
    lists = ListMemory()
    first = lists.list_models(admitted(), SNAPSHOT, TOLD)
    assert first == made(admitted())
    assert lists.list_models(admitted(only=None), SNAPSHOT, TOLD) is first


def test_nobody_is_shown_the_list_of_another_request() -> None:
    lists = ListMemory()
    first = lists.list_models(admitted(), SNAPSHOT, TOLD)
    gemini = replace(CALL, surface=Dialect.GEMINI)
    for one in (
        admitted(deployment="prefixed"),
        admitted(only=("a",)),
        admitted(only=("b",)),
        admitted(gemini),
        admitted(replace(gemini, query="pageSize=1")),
        admitted(replace(CALL, deployment="d")),
    ):
        reply = lists.list_models(one, SNAPSHOT, TOLD)
        assert reply == made(one)
        assert reply != first
    assert lists.list_models(admitted(), SNAPSHOT, TOLD) is first


def test_what_has_changed_is_shown() -> None:
    lists = ListMemory()
    lists.list_models(admitted(), SNAPSHOT, TOLD)
    for told in ({"n": (ModelInfo("a"),)}, {**TOLD, "o": (ModelInfo("c"),)}):
        assert lists.list_models(admitted(), SNAPSHOT, told) == made(admitted(), told)
    other = make_snapshot(TEXT.replace("prefixed: {nodes: [n]", "prefixed: {nodes: [o]"))
    one = replace(admitted(), deployment=other.deployments["prefixed"])
    lists.list_models(admitted(deployment="prefixed"), SNAPSHOT, TOLD)
    assert lists.list_models(one, other, TOLD) == made(one)


def test_no_more_is_remembered_than_clients_ask_for() -> None:
    lists = ListMemory()
    for size in range(1, 200):
        call = replace(CALL, surface=Dialect.GEMINI, query=f"pageSize={size}")
        lists.list_models(admitted(call), SNAPSHOT, TOLD)
    assert len(lists._made) <= 32
