"""Which nodes that speak Responses get a request unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.planning.responders import choose_responders
from casedesk_proxy.planning.route import ModelPlacement, PlanInputs
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import ResolvedModel
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  a: {url: "http://127.0.0.1:1", engine: vllm}
  b: {url: "http://127.0.0.1:2", engine: vllm}
  ollama: {url: "http://127.0.0.1:3", engine: ollama, speaks: [openai, responses]}
  studio: {url: "http://127.0.0.1:4", engine: lmstudio, speaks: [openai, responses]}
deployments:
  d: {nodes: [a, b, ollama, studio], auth: none}
"""
NODES = make_snapshot(TEXT).nodes
CALL = read_call("POST", "/v1/responses", ())


def chosen(*names: str, refuses_tools: bool = False, raw: bytes = b"", **body: Any) -> list[str]:
    """``raw``: the body, if it is not the one that ``body`` makes."""

    def find_keeper(ident: str) -> Keeper | None:
        return Keeper(ident.removeprefix("at "), "m", "m", 9.0) if ident.startswith("at ") else None

    raw = raw or json.dumps(body).encode()
    inputs = PlanInputs(CALL, (), raw, "r", {}, find_keeper=find_keeper)
    nodes = tuple(NODES[name] for name in names)
    place = ModelPlacement(
        ResolvedModel("m", "m", names), nodes, nodes, Demand("ordered", names),
        refuses_tools=refuses_tools,
    )  # fmt: skip
    return [node.name for node in choose_responders(inputs, {"model": "m", **body}, place)]


def test_a_plain_request_is_anybody_s() -> None:
    usual = {"tool_choice": "auto", "truncation": "disabled", "background": False, "store": True}
    assert chosen("a", "ollama", "studio", **usual) == ["a", "ollama", "studio"]


@table(
    "wanted",
    [
        {"conversation": "conv_1"},
        {"background": True},
        {"truncation": "auto"},
        {"tool_choice": "required"},
        {"parallel_tool_calls": False},
        {"top_logprobs": 2},
        {"prompt": {"id": "p"}},
        {"tools": [{"type": "web_search"}]},
    ],
)
def test_who_would_lose_a_field_does_not_get_it(wanted: dict[str, Any]) -> None:
    assert chosen("ollama", "studio", **wanted) == []


def test_a_format_that_one_is_not_known_to_follow() -> None:
    text = {"format": {"type": "json_schema", "name": "n", "schema": {}}}
    assert chosen("a", "ollama", "studio", text=text) == ["a", "ollama"]
    assert chosen("studio", text={"format": {"type": "text"}, "verbosity": "low"}) == ["studio"]


def test_kinds_of_tools() -> None:
    tools = [{"type": "function"}, {"type": "namespace"}, {"type": "mcp"}, "?", {"type": 7}]
    assert chosen("a", "ollama", "studio", tools=tools) == ["a", "studio"]
    assert chosen("ollama", tools=tools[:2]) == ["ollama"]
    assert chosen("ollama", tools="?") == ["ollama"], "the node's to judge"


def test_tools_that_no_node_has_are_for_the_translator_to_refuse_where_that_is_wanted() -> None:
    known = [{"type": "function"}, {"type": "namespace"}, {"type": "code_interpreter"}]
    assert chosen("a", tools=known, refuses_tools=True) == ["a"]
    for kind in ("web_search", "custom"):
        tools = [*known, {"type": kind}]
        assert chosen("a", tools=tools) == ["a"]
        assert chosen("a", tools=tools, refuses_tools=True) == []


def test_who_has_the_earlier_response_gets_the_next() -> None:
    assert chosen("a", "b", previous_response_id="at b") == ["b"]


@table("earlier", ["unknown", "at ollama", "at nowhere"])
def test_an_earlier_response_that_nobody_has(earlier: str) -> None:
    with pytest.raises(BadRequest) as refused:
        chosen("a", "b", "ollama", previous_response_id=earlier)
    assert refused.value.code == "previous_response_not_found"


def test_where_none_keeps_responses_the_request_is_for_the_translator_to_refuse() -> None:
    assert chosen("ollama", previous_response_id="at ollama") == []


@table("earlier", [None, "", 7])
def test_no_earlier_response(earlier: Any) -> None:
    assert chosen("a", previous_response_id=earlier) == ["a"]


@table("last", ['"at a"', "null"])
def test_two_earlier_responses_are_refused(last: str) -> None:
    """A node that accepts the first id would continue a response that no rule has checked."""
    raw = b'{"previous_response_id":"at b","previous_response\\u005fid":%b}' % last.encode()
    with pytest.raises(BadRequest, match="appears twice") as caught:
        chosen("a", "b", raw=raw, **json.loads(raw))
    assert [one.path for one in caught.value.violations] == ["previous_response_id"]
