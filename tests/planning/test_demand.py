"""What planning requires of a node, by the node's real engine and models."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Dialect, ModelInfo
from tests.planning.configs import make_snapshot

TEXT = """
default_deployment: d
nodes:
  a: {url: "http://127.0.0.1:1"}
  b: {url: "http://127.0.0.1:2"}
deployments:
  d: {nodes: [a, b], auth: none, policy: POLICY}
"""
REPORTED = {"a": (ModelInfo("m", loaded=False),), "b": (ModelInfo("m", loaded=True),)}
CHAT = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}'


def plan(content: bytes, policy: str = "least-streams") -> Plan:
    snapshot = make_snapshot(TEXT.replace("POLICY", policy))
    call = read_call("POST", "/v1/chat/completions", ())
    inputs = PlanInputs(call, (), CHAT % content, "r", REPORTED)
    return plan_request(snapshot, snapshot.deployments["d"], inputs)


def test_nodes_that_have_the_model_loaded_are_told_from_those_that_have_not() -> None:
    wish = plan(b"x").demand
    assert wish.nodes == ("a", "b")
    assert wish.unloaded == {"a"}
    assert wish.policy == "least-streams"


def test_only_the_policy_that_needs_it_gets_a_key() -> None:
    assert plan(b"x").demand.affinity_key == b""
    keys = {plan(text, "prefix-affinity").demand.affinity_key for text in (b"x", b"x", b"y")}
    assert len(keys) == 2
    assert all(key.startswith(b"d\0m\0") for key in keys)


def test_a_node_is_planned_for_as_what_it_really_is() -> None:
    snapshot = make_snapshot(TEXT.replace("POLICY", "ordered"))
    headers = ((b"anthropic-version", b"2023-06-01"),)
    call = read_call("POST", "/v1/messages", headers)
    body = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}]}'
    found = {
        "b": replace(snapshot.nodes["b"], engine=VLLM, speaks=(Dialect.OPENAI, Dialect.ANTHROPIC))
    }
    inputs = PlanInputs(call, headers, body, "r", REPORTED, found)
    made = plan_request(snapshot, snapshot.deployments["d"], inputs)
    assert [node.name for node in made.nodes] == ["b"]
    assert made.routes["b"].translator is None
