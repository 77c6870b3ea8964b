"""The request to a node: the client's bytes except names, credentials and Host."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest, NotFound, Unsupported
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import ModelPlacement, PlacementKey, PlanInputs
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Action, Dialect, Framing, ModelInfo, RawHeaders
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

REPORTED = {
    "local": (ModelInfo("tiny"), ModelInfo("gemma2:9b")),
    "google": (ModelInfo("gemini-pro"), ModelInfo("a/b:c")),
}
ANTHROPIC: RawHeaders = ((b"anthropic-version", b"2023-06-01"),)


def plan(target: str, body: bytes, headers: RawHeaders = (), deployment: str = "desk") -> Plan:
    snapshot = make_snapshot()
    call = read_call("POST", target, headers)
    where = snapshot.deployments[deployment]
    return plan_request(snapshot, where, PlanInputs(call, headers, body, "req-1", REPORTED))


def sent_by(plan: Plan) -> bytes:
    node = plan.nodes[0]
    return plan.routes[node.name].request_for(node)


def asked(plan: Plan) -> tuple[str, dict[str, str], bytes]:
    """The request line, the headers by lower-case name, and the body for the first node."""
    head, _, body = sent_by(plan).partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    pairs = [text.split(": ", 1) for text in lines]
    assert len(pairs) == len({name.lower() for name, _ in pairs})
    return line, {name.lower(): value for name, value in pairs}, body


def test_a_body_is_the_clients_own_when_the_name_stays() -> None:
    body = b'{ "model" : "tiny",\n "messages":[ ],"stream":true }'
    made = plan("/v1/chat/completions", body)
    line, headers, sent = asked(made)
    assert line == "POST /v1/chat/completions HTTP/1.1"
    assert sent == body
    assert headers == {
        "host": "127.0.0.1:9001",
        "x-request-id": "req-1",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
    }
    assert made.framing is Framing.SSE
    assert [node.name for node in made.nodes] == ["local"]


def test_an_alias_changes_the_name_and_nothing_else() -> None:
    made = plan("/v1/chat/completions", b'{ "model" : "gpt-4",\n "n": 1.0 }')
    assert asked(made)[2] == b'{ "model" : "tiny",\n "n": 1.0 }'
    assert (made.asked, made.model) == ("gpt-4", "tiny")


def plan_alone(body: bytes, target: str = "/v1/chat/completions", only: str = "tiny") -> Plan:
    """The plan if the nodes have one model."""
    snapshot = make_snapshot()
    headers = ANTHROPIC if "messages" in target else ()
    reported = {"local": (ModelInfo(only),), "google": ()}
    call = read_call("POST", target, headers)
    inputs = PlanInputs(call, headers, body, "req-1", reported)
    return plan_request(snapshot, snapshot.deployments["desk"], inputs)


@table("target", ["/v1/chat/completions", "/v1/messages", "/v1/completions"])
@table(
    ("body", "sent"),
    [
        (b'{ "n": 1.0 }', b'{"model":"tiny", "n": 1.0 }'),
        (b'{"model": null, "n":1}', b'{"model": "tiny", "n":1}'),
    ],
)
def test_the_only_model_is_meant_where_none_is_named(target: str, body: bytes, sent: bytes) -> None:
    made = plan_alone(body, target)
    assert asked(made)[2] == sent
    assert (made.asked, made.model) == ("tiny", "tiny")


def test_of_several_models_one_has_to_be_named() -> None:
    with pytest.raises(BadRequest, match="model: a string is required; available: "):
        plan("/v1/chat/completions", b'{"n":1}')


def test_while_no_node_has_told_its_models_they_are_asked() -> None:
    snapshot = make_snapshot()
    call = read_call("POST", "/v1/chat/completions", ())
    with pytest.raises(NotFound, match="no node has listed"):
        plan_request(
            snapshot, snapshot.deployments["open"], PlanInputs(call, (), b'{"n":1}', "req-1", {})
        )


def test_a_gemini_path_is_rewritten_and_the_nodes_key_put_in() -> None:
    headers: RawHeaders = ((b"X-Goog-Api-Client", b"genai"), (b"x-goog-api-key", b"client-key"))
    target = "/v1/models/flash:streamGenerateContent?a=1&key=client-key&alt=sse&a=2"
    made = plan(target, b"{}", headers)
    line, sent, _ = asked(made)
    assert line == (
        "POST /base/v1/models/gemini-pro:streamGenerateContent?a=1&alt=sse&a=2 HTTP/1.1"
    )
    assert sent["x-goog-api-key"] == "google-key"
    assert sent["x-goog-api-client"] == "genai"
    assert "client-key" not in repr(sent_by(made))
    assert made.framing is Framing.SSE


def test_model_names_are_encoded_for_a_path() -> None:
    line, _, _ = asked(plan("/v1beta/models/a%2Fb%3Ac:generateContent", b"{}"))
    assert line == "POST /base/v1beta/models/a/b:c:generateContent HTTP/1.1"


def test_anthropic_headers_and_query_are_kept() -> None:
    headers = (*ANTHROPIC, (b"anthropic-beta", b"b1,b2"), (b"x-api-key", b"client-key"))
    body = json.dumps({"model": "claude-9", "stream": True}).encode()
    line, sent, raw = asked(plan("/v1/messages?beta=true", body, headers))
    assert line == "POST /v1/messages?beta=true HTTP/1.1"
    assert (sent["anthropic-version"], sent["anthropic-beta"]) == ("2023-06-01", "b1,b2")
    assert "x-api-key" not in sent
    assert json.loads(raw)["model"] == "gemma2:9b"


def test_anthropic_version_is_required() -> None:
    with pytest.raises(BadRequest, match="anthropic-version"):
        plan("/v1/messages", b'{"model":"tiny"}')


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(NotFound, match="nope"):
        plan("/v1/chat/completions", b'{"model":"nope"}')


def test_a_node_whose_list_is_unknown_may_have_it() -> None:
    made = plan("/v1/chat/completions", b'{"model":"whatever"}', deployment="open")
    assert [node.name for node in made.nodes] == ["silent"]


def test_a_protocol_that_no_node_speaks_is_refused() -> None:
    with pytest.raises(Unsupported, match="unsupported_dialect") as refused:
        plan("/v1/chat/completions", b'{"model":"gemini-pro"}')
    assert "gemini.example" not in refused.value.message


PICKY = """
nodes:
  n: {url: "http://127.0.0.1:1", engine: ENGINE, speaks: SPEAKS}
deployments:
  d: {nodes: [n], auth: none}
"""


def test_a_url_before_a_field_of_the_same_name_reaches_no_node() -> None:
    """Some nodes use the first of several fields."""
    part = b'{"type":"image_url","image_url":{"url":"http://h"}}'
    raw = b'{"model":"tiny","messages":[{"content":[%b],"content":"Hi"}]}' % part
    with pytest.raises(BadRequest, match=r"messages\[0\].content\[0\].image_url.url: URLs are not"):
        plan_alone(raw)
    assert plan_alone(raw.replace(b'"content":[' + part + b"],", b"")).model == "tiny"


def plan_picky(engine: str, speaks: str, **fields: Any) -> Plan:
    snapshot = make_snapshot(PICKY.replace("ENGINE", engine).replace("SPEAKS", speaks))
    message = {"role": "user", "content": "Hi"}
    body = {"model": "m", "max_tokens": 3000, "messages": [message], **fields}
    call = read_call("POST", "/proxy/d/anthropic/v1/messages", ANTHROPIC)
    inputs = PlanInputs(call, ANTHROPIC, json.dumps(body).encode(), "r", {"n": (ModelInfo("m"),)})
    return plan_request(snapshot, snapshot.deployments["d"], inputs)


BUDGET = {"type": "enabled", "budget_tokens": 2000}


def test_a_wish_that_the_node_may_refuse_is_translated_at_first() -> None:
    made = plan_picky("vllm", "[openai, anthropic]", thinking=BUDGET)
    assert made.routes["n"].translator is not None


def test_what_translation_would_refuse_goes_as_it_is() -> None:
    system = {"role": "system", "content": [{"type": "tool_addition", "tool": {}}]}
    messages = [{"role": "user", "content": "Hi"}, system]
    made = plan_picky("vllm", "[openai, anthropic]", thinking=BUDGET, messages=messages)
    assert [node.name for node in made.nodes] == ["n"]
    assert made.routes["n"].translator is None


def test_what_the_only_node_would_lose_is_refused_by_name() -> None:
    format = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    with pytest.raises(Unsupported, match="speaks") as refused:
        plan_picky("llama-server", "[anthropic]", output_config=format)
    assert [one.path for one in refused.value.violations] == ["output_config.format"]


def test_where_a_model_is_is_known_to_requests_with_other_heads() -> None:
    snapshot = make_snapshot(PICKY.replace("ENGINE", "vllm").replace("SPEAKS", "[openai]"))
    places: Memory[PlacementKey, ModelPlacement] = Memory(4)
    reported = {"n": (ModelInfo("m"),)}
    call = read_call("POST", "/proxy/d/openai/v1/chat/completions", ())
    body = b'{"model":"m","messages":[]}'

    def plan_for(ident: bytes, reported: dict[str, tuple[ModelInfo, ...]]) -> Plan:
        headers = ((b"traceparent", ident),)
        inputs = PlanInputs(call, headers, body, "r", reported, shared_placements=places)
        return plan_request(snapshot, snapshot.deployments["d"], inputs)

    first, second = plan_for(b"1", reported).routes["n"], plan_for(b"2", reported).routes["n"]
    assert list(places) == [("d", None, Dialect.OPENAI, Action.CHAT, "m")]
    # What goes with a head stays with it.
    assert (first.headers, second.headers) == (((b"traceparent", b"1"),), ((b"traceparent", b"2"),))
    assert first.head_templates is not second.head_templates
    # The same list, told anew.
    plan_for(b"3", dict(reported))
    with pytest.raises(NotFound):
        plan_for(b"4", {"n": (ModelInfo("another"),)})
    assert not places


def test_where_a_model_is_is_not_known_to_keys_that_may_not_use_it() -> None:
    snapshot = make_snapshot(PICKY.replace("ENGINE", "vllm").replace("SPEAKS", "[openai]"))
    deployment, places = snapshot.deployments["d"], Memory[PlacementKey, ModelPlacement](4)
    call = read_call("POST", "/proxy/d/openai/v1/chat/completions", ())
    body = b'{"model":"m","messages":[]}'
    inputs = PlanInputs(call, (), body, "r", {"n": (ModelInfo("m"),)}, shared_placements=places)
    assert plan_request(snapshot, deployment, inputs).model == "m"
    limited = deployment.for_key(("another",))
    for placements in (Memory[str, ModelPlacement](4), Memory[str, ModelPlacement](4)):
        with pytest.raises(NotFound, match="not to your key"):
            plan_request(snapshot, limited, replace(inputs, placements=placements))
