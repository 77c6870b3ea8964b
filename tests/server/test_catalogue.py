"""Lists of models are made once for as long as nothing has changed."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.server.catalogue import Remembered, list_models
from casedesk_proxy.terms import Action, Call, Dialect, Framing, ModelInfo

RULES = ModelRules(aliases={}, patterns=(), prefix="", models=None, nodes=("n", "o"))
CALL = Call(Dialect.OPENAI, Action.LIST_MODELS, None, None, "", "", Framing.UNARY)
TOLD = {"n": (ModelInfo("a"), ModelInfo("b"))}


def test_the_same_list_is_made_once() -> None:
    lists = Remembered()
    first = lists.list_models(CALL, RULES, TOLD)
    assert first == list_models(CALL, RULES, TOLD)
    assert lists.list_models(CALL, RULES, dict(TOLD)) is first


def test_what_has_changed_is_told() -> None:
    lists = Remembered()
    first = lists.list_models(CALL, RULES, TOLD)
    others = [
        (CALL, RULES, {"n": (ModelInfo("a"),)}),
        (CALL, RULES, {**TOLD, "o": (ModelInfo("c"),)}),
        (CALL, replace(RULES, prefix="p-"), TOLD),
        (replace(CALL, surface=Dialect.GEMINI), RULES, TOLD),
        (replace(CALL, surface=Dialect.GEMINI, query="pageSize=1"), RULES, TOLD),
        (replace(CALL, deployment="d"), RULES, TOLD),
    ]
    for call, rules, told in others:
        made = lists.list_models(call, rules, told)
        assert made == list_models(call, rules, told)
        assert made != first
    assert lists.list_models(CALL, RULES, TOLD) == first


def test_no_more_is_remembered_than_clients_ask_for() -> None:
    lists = Remembered()
    for size in range(1, 200):
        call = replace(CALL, surface=Dialect.GEMINI, query=f"pageSize={size}")
        lists.list_models(call, RULES, TOLD)
    assert len(lists._lists) <= 32
