"""The restrictions of one model at one node."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.restrictions import UNRESTRICTED, Restrictions
from casedesk_proxy.planning.restrictions import find_model, find_restrictions, thinking_mode
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Ability, Control, ModelInfo
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  n: {url: "http://127.0.0.1:1", engine: vllm, thinking: THINKING}
deployments:
  d: {nodes: [n], auth: none}
"""
BLIND = ModelInfo(
    "m",
    lacks=frozenset({Ability.VISION, Ability.THINKING}),
    ignores=frozenset({Control.EFFORT}),
)


def node(thinking: str = "{}") -> NodeSpec:
    return make_snapshot(TEXT.replace("THINKING", thinking)).nodes["n"]


def asked(**facts: Any) -> PlanInputs:
    call = read_call("POST", "/v1/chat/completions", ())
    return PlanInputs(call, (), b"", "r", **{"reported": {"n": (BLIND,)}, **facts})


def test_a_node_that_says_nothing_can_be_asked_anything() -> None:
    assert find_restrictions(asked(reported={}), "m", node()) == UNRESTRICTED
    assert find_restrictions(asked(), "another model", node()) == UNRESTRICTED


def test_what_it_says_what_it_refused_and_what_is_left_out_this_time() -> None:
    inputs = asked(
        refused={("n", "m"): frozenset({Control.BUDGET})}, without=frozenset({Control.OFF})
    )
    unusable = frozenset({Control.EFFORT, Control.BUDGET, Control.OFF})
    assert find_restrictions(inputs, "m", node()) == Restrictions(BLIND.lacks, unusable)


@table(
    ("mode", "restrictions"),
    [
        ("none", Restrictions(frozenset({Ability.VISION}), frozenset(Control))),
        ("effort", Restrictions(frozenset({Ability.VISION}), by_effort=True)),
        ("all", Restrictions(frozenset({Ability.VISION}))),
    ],
)
def test_the_operator_knows_better_how_it_thinks(mode: str, restrictions: Restrictions) -> None:
    inputs = asked(refused={("n", "m"): frozenset({Control.BUDGET})})
    assert find_restrictions(inputs, "m", node(mode)) == restrictions


@table(
    ("thinking", "model", "mode"),
    [
        ("{}", "m", "auto"),
        ("all", "m", "all"),
        ("{'qwen*': effort, '*': none}", "qwen3", "effort"),
        ("{'qwen*': effort, '*': none}", "gemma", "none"),
        ("{'qwen*': effort, qwen3: all}", "qwen3", "all"),
        ("{'qwen*': effort}", "gemma", "auto"),
    ],
)
def test_the_mode_of_a_model(thinking: str, model: str, mode: str) -> None:
    assert thinking_mode(node(thinking), model) == mode


def test_find_model() -> None:
    assert find_model({"n": (ModelInfo("a"), BLIND)}, node(), "m") is BLIND
    assert find_model({"n": (BLIND,)}, node(), "b") is None
    assert find_model({}, node(), "m") is None
