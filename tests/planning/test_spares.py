"""Which other nodes may get a request, and when they are as good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casedesk_proxy.errors import NotFound
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.planning.spares import is_as_good, may_have_spares, without_nodes_of
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Action, Dialect, ModelInfo
from tests.planning.configs import make_snapshot

TEXT = """
default_deployment: both
nodes:
  local: {url: "http://127.0.0.1:9001", engine: llama-server}
  google: {url: "https://gemini.example", engine: gemini}
deployments:
  both: {nodes: [local, google], auth: none}
  one: {nodes: [google], auth: none}
"""
REPORTED = {"local": (ModelInfo("m"),), "google": (ModelInfo("m"), ModelInfo("n"))}
BODY = b'{"contents":[{"parts":[{"text":"hi"}]}]}'


def planned(model: str = "m", deployment: str = "both") -> tuple[Plan, PlanInputs]:
    snapshot = make_snapshot(TEXT)
    call = read_call("POST", f"/v1beta/models/{model}:generateContent", ())
    inputs = PlanInputs(call, (), BODY, "r", REPORTED)
    return plan_request(snapshot, snapshot.deployments[deployment], inputs), inputs


def others(plan: Plan, inputs: PlanInputs) -> Plan:
    snapshot = make_snapshot(TEXT)
    return plan_request(snapshot, plan.deployment, without_nodes_of(inputs, plan))


def test_a_request_is_for_its_own_nodes_and_could_be_made_over() -> None:
    plan, inputs = planned()
    assert [node.name for node in plan.nodes] == ["google"]
    assert may_have_spares(plan, Action.GENERATE)
    other = others(plan, inputs)
    assert [node.name for node in other.nodes] == ["local"]
    assert other.routes["local"].dialect is Dialect.OPENAI
    assert is_as_good(other)


def test_what_would_lose_something_is_not_as_good() -> None:
    other = others(*planned())
    assert not is_as_good(replace(other, dropped=("contents[0]",)))


def test_where_no_other_has_the_model_there_is_none() -> None:
    plan, inputs = planned("n")
    with pytest.raises(NotFound):
        others(plan, inputs)


def test_there_is_none_to_look_for() -> None:
    plan, _ = planned(deployment="one")
    assert not may_have_spares(plan, Action.GENERATE)
    plan, inputs = planned()
    assert not may_have_spares(plan, Action.RESPOND)
    assert not may_have_spares(others(plan, inputs), Action.GENERATE)
