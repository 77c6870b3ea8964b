"""Requests translated for nodes of another protocol: which headers are sent, and which templates
are used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import RawHeaders
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  plain: {url: "http://127.0.0.1:9001", engine: vllm, speaks: [openai], models: [m]}
  gemma: {url: "http://127.0.0.1:9002", engine: vllm, speaks: [openai], models: [m],
          system_role: none}
  qwen: {url: "http://127.0.0.1:9003", engine: vllm, speaks: [openai], models: [m],
         system_role: first}
  route: {url: "http://127.0.0.1:9004", engine: anthropic, models: [claude]}
deployments:
  desk: {nodes: [plain, gemma, qwen], auth: none}
  cloud: {nodes: [route], auth: none}
"""
GENERATE = "/proxy/desk/gemini/v1beta/models/m:streamGenerateContent"
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]


def plan(target: str, body: Any, headers: RawHeaders = ()) -> Plan:
    snapshot = make_snapshot(TEXT)
    deployment = snapshot.deployments[target.split("/")[2]]
    call = read_call("POST", target, headers)
    inputs = PlanInputs(call, headers, json.dumps(body).encode(), "r1", {})
    return plan_request(snapshot, deployment, inputs)


def heads(made: Plan) -> dict[str, dict[str, str]]:
    """The part of each node's request before its body."""
    found = {}
    for node in made.nodes:
        lines = made.routes[node.name].request_for(node).partition(b"\r\n\r\n")[0].decode()
        first, *rest = lines.split("\r\n")
        pairs = (line.split(": ", 1) for line in rest)
        found[node.name] = {"": first, **{name.lower(): value for name, value in pairs}}
    return found


def test_what_stands_before_a_node_hears_what_google_would() -> None:
    told = (
        (b"X-Goog-Api-Client", b"genai/3"),
        (b"x-goog-user-project", b"p"),
        (b"x-goog-api-key", b"secret"),
        (b"User-Agent", b"sdk"),
        (b"traceparent", b"00-1"),
    )
    kept_here = ((b"Accept", b"text/event-stream"), (b"Cookie", b"c"), (b"anthropic-beta", b"b"))
    made = plan(GENERATE, {"contents": CONTENTS}, (*told, *kept_here))
    head = heads(made)["plain"]
    assert head["x-goog-api-client"] == "genai/3"
    assert head["x-goog-user-project"] == "p"
    assert (head["user-agent"], head["traceparent"]) == ("sdk", "00-1")
    assert "secret" not in repr(head)
    assert not head.keys() & {"accept", "cookie", "anthropic-beta", "x-goog-api-key"}
    assert head["content-type"] == "application/json"
    assert head["accept-encoding"] == "identity"


def test_a_header_that_breaks_out_goes_nowhere() -> None:
    headers = ((b"x-goog-x", b"a\nb: c"), (b"user-agent", b"a\rb"))
    head = heads(plan(GENERATE, {"contents": CONTENTS}, headers))["plain"]
    assert not head.keys() & {"x-goog-x", "user-agent", "b"}


def test_the_query_stays_here() -> None:
    target = f"{GENERATE}?alt=sse&$alt=json&key=secret&quotaUser=x"
    for head in heads(plan(target, {"contents": CONTENTS})).values():
        assert head[""] == "POST /v1/chat/completions HTTP/1.1"


def test_an_anthropic_node_is_told_a_version() -> None:
    target = "/proxy/cloud/gemini/v1beta/models/claude:generateContent"
    head = heads(plan(target, {"contents": CONTENTS}))["route"]
    assert head[""] == "POST /v1/messages HTTP/1.1"
    assert head["anthropic-version"] == "2023-06-01"


@table("surface", ["gemini", "anthropic"])
def test_a_system_message_stands_where_the_template_takes_one(surface: str) -> None:
    if surface == "gemini":
        body = {"contents": CONTENTS, "systemInstruction": {"parts": [{"text": "Be kind."}]}}
        made = plan(GENERATE, body)
    else:
        turns = [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}]
        body = {"model": "m", "max_tokens": 9, "system": "Be kind.", "messages": turns}
        version = ((b"anthropic-version", b"2023-06-01"),)
        made = plan("/proxy/desk/anthropic/v1/messages", body, version)
    sent = {name: json.loads(route.body)["messages"] for name, route in made.routes.items()}
    roles = {name: [one["role"] for one in turns] for name, turns in sent.items()}
    assert roles == {
        "plain": ["system", "user"] + ["system"] * (surface == "anthropic"),
        "gemma": ["user"],
        "qwen": ["system", "user"],
    }
    assert sent["gemma"][0]["content"].startswith("Be kind.\n\nHi")
    if surface == "anthropic":
        assert sent["qwen"][0]["content"] == "Be kind.\n\nBe brief."


DEEP: Any = json.loads('{"a":' * 400 + "1" + "}" * 400)
CALL = {"functionCall": {"name": "f", "args": DEEP}}
DECLARED = {"functionDeclarations": [{"name": "f", "parameters": DEEP}]}
TURN = {"role": "user", "content": "Hi"}


@table(
    "body",
    [
        {"contents": [*CONTENTS, {"role": "model", "parts": [CALL]}]},
        {"contents": CONTENTS, "tools": [DECLARED]},
        {"messages": [TURN], "tools": [{"name": "f", "input_schema": DEEP}]},
    ],
)
def test_a_body_nested_too_deeply_is_the_clients_fault(body: dict[str, Any]) -> None:
    """JSON readers accept deeper nesting than their writers; the client must not get a 500."""
    version = ((b"anthropic-version", b"2023-06-01"),)
    target = GENERATE if "contents" in body else "/proxy/desk/anthropic/v1/messages"
    with pytest.raises(BadRequest, match="nested too deeply"):
        plan(
            target, {"model": "m", "max_tokens": 1, **body} if "messages" in body else body, version
        )


def told(body: dict[str, Any], text: str = TEXT) -> dict[str, tuple[tuple[str, str], ...]]:
    snapshot = make_snapshot(text)
    call = read_call("POST", GENERATE, ())
    inputs = PlanInputs(call, (), json.dumps(body).encode(), "r1", {})
    made = plan_request(snapshot, snapshot.deployments["desk"], inputs)
    return {name: route.reply_headers for name, route in made.routes.items()}


def test_a_count_that_no_node_can_be_asked_is_answered_here() -> None:
    snapshot = make_snapshot(TEXT.replace("engine: vllm", "engine: ollama"))
    call = read_call("POST", GENERATE.replace("streamGenerateContent", "countTokens"), ())
    inputs = PlanInputs(call, (), json.dumps({"contents": CONTENTS}).encode(), "r1", {})
    made = plan_request(snapshot, snapshot.deployments["desk"], inputs)
    assert made.answer is not None
    assert json.loads(made.answer.body)["totalTokens"] > 0
    assert made.routes == {}


def test_the_client_is_told_what_was_left_out() -> None:
    assert set(told({"contents": CONTENTS}).values()) == {()}
    stored = told({"contents": CONTENTS, "store": True})
    assert set(stored.values()) == {(("x-casedesk-dropped", "store"),)}
    lenient = TEXT.replace("auth: none}\n  cloud", "auth: none, unknown_fields: ignore}\n  cloud")
    odd = {"a\r\nSet-Cookie: b": 1, "é": 1, "x" * 500: 1}
    (_, value) = told({"contents": CONTENTS, **odd}, lenient)["plain"][0]
    assert value == "a??Set-Cookie: b, ?, " + "x" * 100
    many = {f"f{number}": 1 for number in range(12)}
    (_, value) = told({"contents": CONTENTS, **many}, lenient)["plain"][0]
    assert value == "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, and 2 more"


BIG = 123456789012345678901234567890
CALLED = {"functionCall": {"name": "f", "args": {"n": BIG}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "maximum": BIG}}}


@table(
    ("target", "body"),
    [
        (
            GENERATE,
            {
                "contents": [
                    *CONTENTS,
                    {
                        "role": "model",
                        "parts": [{"functionCall": {"name": "f", "args": {"n": BIG}}}],
                    },
                    {
                        "role": "user",
                        "parts": [{"functionResponse": {"name": "f", "response": {"n": -BIG}}}],
                    },
                ],
                "tools": [
                    {"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}
                ],
            },
        ),
        (
            "/proxy/desk/anthropic/v1/messages",
            {
                "model": "m",
                "max_tokens": 9,
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool_use", "id": "t", "name": "f", "input": {"n": BIG}}
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "t", "content": str(-BIG)}
                        ],
                    },
                ],
                "tools": [{"name": "f", "input_schema": SCHEMA}],
            },
        ),
    ],
)
def test_whole_numbers_beyond_64_bits_stay_what_they_were(target: str, body: Any) -> None:
    headers = ((b"anthropic-version", b"2023-06-01"),)
    made = plan(target, body, headers).routes["plain"].body
    assert made.count(str(BIG).encode()) == 3
    assert b"e+" not in made
    assert b"e2" not in made


def test_a_bound_beyond_64_bits_in_googles_own_schema() -> None:
    parameters = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "maximum": BIG}}}
    declared = [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]
    made = plan(GENERATE, {"contents": CONTENTS, "tools": declared}).routes["plain"].body
    assert str(BIG).encode() in made
