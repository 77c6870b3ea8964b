"""Functions in namespaces for a node that speaks Responses: only their names change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest, Unsupported
from casedesk_proxy.planning.namespaces import flatten_namespaces
from casedesk_proxy.planning.plan import plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.replying.namespaces import NamespacedBody, NamespacedStream
from casedesk_proxy.surfaces.bodies import RequestBody
from casedesk_proxy.surfaces.paths import read_call
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

FLAT = "mcp__weather__get_weather"
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
MCP = {"type": "namespace", "name": "mcp__weather", "tools": [WEATHER]}
CALL = {
    "type": "function_call",
    "call_id": "c1",
    "name": "get_weather",
    "namespace": "mcp__weather",
    "arguments": "{}",
}


def flat(**fields: Any) -> dict[str, Any]:
    raw = json.dumps({"model": "m", **fields}).encode()
    return dict(json.loads(flatten(raw)))


def flatten(raw: bytes) -> bytes:
    value = json.loads(raw)
    return flatten_namespaces(raw, RequestBody("m", bool(value.get("stream")), value), "gpt")[0]


def test_their_functions_stand_on_the_first_level() -> None:
    other = {"type": "web_search"}
    made = flat(tools=[other, MCP, {"type": "function", "name": "f"}])["tools"]
    assert made == [other, WEATHER | {"name": FLAT}, {"type": "function", "name": "f"}]


def test_an_empty_namespace_leaves_nothing() -> None:
    assert flat(tools=[MCP | {"tools": []}])["tools"] == []


def test_calls_in_the_history_have_the_same_names() -> None:
    result = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
    made = flat(tools=[MCP], input=[CALL, result, "odd", {"type": "function_call", "name": "f"}])
    assert made["input"][0] == {
        "type": "function_call",
        "call_id": "c1",
        "name": FLAT,
        "arguments": "{}",
    }
    assert made["input"][1:] == [result, "odd", {"type": "function_call", "name": "f"}]
    assert flat(input=[CALL])["input"][0]["name"] == FLAT, "declared or not"


@table(
    ("choice", "flat_choice"),
    [
        ("auto", "auto"),
        ({"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
        (
            {"type": "function", "name": "get_weather", "namespace": "mcp__weather"},
            {"type": "function", "name": FLAT},
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [
                    {"type": "namespace", "name": "mcp__weather"},
                    {"type": "function", "name": "f"},
                    {"type": "function", "name": "get_weather", "namespace": "mcp__weather"},
                ],
            },
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [
                    {"type": "function", "name": FLAT},
                    {"type": "function", "name": "f"},
                    {"type": "function", "name": FLAT},
                ],
            },
        ),
    ],
)
def test_the_choice_of_a_tool(choice: Any, flat_choice: Any) -> None:
    assert flat(tools=[MCP], tool_choice=choice)["tool_choice"] == flat_choice


def test_every_other_byte_is_the_client_s() -> None:
    raw = (
        b'{ "model":"m", "input" : "caf\\u00e9 1.50",  "n":1.0e2,\n "tools":[ {"type":"namespace",'
        b'"name":"a__","tools":[{"name" : "f", "type":"function","x":[1.00]}]}],"z":{}}'
    )
    assert flatten(raw) == (
        b'{ "model":"m", "input" : "caf\\u00e9 1.50",  "n":1.0e2,\n "tools":'
        b'[{"name":"a__f","type":"function","x":[1.00]}],"z":{}}'
    )


def test_of_double_keys_both_are_made_so() -> None:
    raw = (
        b'{"tools":[],"tools":[{"type":"namespace","name":"a","tools":[],"tools":[{"type":"x"}]}]}'
    )
    raw = raw.replace(b'{"type":"x"}', b'{"type":"function","name":"f"}')
    assert json.loads(flatten(raw))["tools"] == [{"type": "function", "name": "a__f"}]


@table(
    ("tools", "path"),
    [
        ([{"type": "function", "name": "a__f"}, ("a", "f")], "tools[1].tools[0].name"),
        ([("a", "f"), {"type": "function", "name": "a__f"}], "tools[1].name"),
        ([("a", "b__f"), ("a__b", "f")], "tools[1].tools[0].name"),
        ([("a", "f"), ("a", "f")], "tools[1].tools[0].name"),
    ],
)
def test_two_functions_that_would_get_one_name(tools: list[Any], path: str) -> None:
    given = [
        one
        if isinstance(one, dict)
        else MCP | {"name": one[0], "tools": [WEATHER | {"name": one[1]}]}
        for one in tools
    ]
    with pytest.raises(BadRequest) as refused:
        flat(tools=given)
    assert [one.path for one in refused.value.violations] == [path]


@table(("stream", "kind"), [(True, NamespacedStream), (False, NamespacedBody)])
def test_the_way_back(stream: bool, kind: type) -> None:
    value: dict[str, Any] = {"model": "m", "stream": stream, "tools": [MCP]}
    body = RequestBody("m", stream, value)
    _, back = flatten_namespaces(json.dumps(value).encode(), body, "gpt")
    assert isinstance(back, kind)


def test_the_client_sees_its_own_tools() -> None:
    for tools in ([MCP], []):
        value: dict[str, Any] = {"model": "m", "tools": tools, "input": [CALL]}
        body = RequestBody("m", False, value)
        _, back = flatten_namespaces(json.dumps(value).encode(), body, "gpt")
        back.feed(b'{"id":"resp_1","tools":[{"name":"x"}],"output":[]}')
        shown = json.loads(back.finish())["tools"]
        assert shown == (tools or [{"name": "x"}])


NAMES = st.text(min_size=1, max_size=70)


@given(st.lists(st.tuples(NAMES, NAMES), unique=True, max_size=5), st.booleans())
def test_every_name_comes_back(pairs: list[tuple[str, str]], stream: bool) -> None:
    tools = [
        {"type": "namespace", "name": space, "tools": [{"type": "function", "name": name}]}
        for space, name in pairs
    ]
    value: dict[str, Any] = {"model": "m", "tools": tools, "input": "x"}
    raw = json.dumps(value).encode()
    try:
        asked, back = flatten_namespaces(raw, RequestBody("m", False, value), "gpt")
    except BadRequest:
        return
    output = [
        {"type": "function_call", "name": one["name"], "arguments": "{}"}
        for one in json.loads(asked)["tools"]
    ]
    back.feed(json.dumps({"id": "r", "output": output}).encode())
    told = json.loads(back.finish())["output"]
    assert [(one["namespace"], one["name"]) for one in told] == pairs


def test_a_node_that_speaks_responses_is_asked_with_flat_names() -> None:
    text = """
nodes:
  a: {url: "http://127.0.0.1:1", engine: vllm, models: [m]}
deployments:
  d: {nodes: [a], auth: none}
"""
    snapshot = make_snapshot(text)
    call = read_call("POST", "/v1/responses", ())
    for tools, translates in ([MCP], True), ([WEATHER], False):
        raw = json.dumps({"model": "m", "input": "x", "tools": tools}).encode()
        inputs = PlanInputs(call, (), raw, "r", {})
        route = plan_request(snapshot, snapshot.deployments["d"], inputs).routes["a"]
        assert (route.translator is not None) is translates
        assert route.target == "/v1/responses"
        assert json.loads(route.body)["tools"][0]["name"] == (FLAT if translates else "get_weather")


def test_a_tool_that_no_node_has_is_refused_by_name_where_that_is_wanted() -> None:
    text = """
nodes:
  a: {url: "http://127.0.0.1:1", engine: vllm, models: [m]}
deployments:
  d: {nodes: [a], auth: none, unknown_tools: refuse}
"""
    snapshot = make_snapshot(text)
    call = read_call("POST", "/v1/responses", ())
    raw = json.dumps({"model": "m", "input": "x", "tools": [MCP, {"type": "web_search"}]}).encode()
    inputs = PlanInputs(call, (), raw, "r", {})
    with pytest.raises(Unsupported, match=r"tools\[1\].*'web_search'"):
        plan_request(snapshot, snapshot.deployments["d"], inputs)
