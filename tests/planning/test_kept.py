"""Requests about a response that a node keeps."""

from __future__ import annotations

from dataclasses import replace
from types import NoneType

import pytest

from casedesk_proxy.dialects.responses.names import FlatNames
from casedesk_proxy.errors import NotFound
from casedesk_proxy.planning.kept import plan_kept
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.replying.namespaces import NameRestorer, NamespacedBody, NamespacedStream
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Framing
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot

TEXT = """
nodes:
  a: {url: "http://127.0.0.1:1/base", engine: vllm, api_key: k}
  b: {url: "http://127.0.0.1:2", engine: ollama, speaks: [openai, responses]}
  c: {url: "http://127.0.0.1:3", engine: vllm}
deployments:
  d: {nodes: [a, b], auth: none}
"""
SNAPSHOT = make_snapshot(TEXT)
HEADERS = ((b"User-Agent", b"sdk"), (b"Cookie", b"secret"), (b"x-request-id", b"mine"))


def plan(method: str, path: str, node: str = "a", names: NameRestorer | None = None) -> Plan:
    call = read_call(method, f"/v1/responses/{path}", ())

    def find_keeper(ident: str) -> Keeper | None:
        return Keeper(node, "tiny", "gpt", 9.0, names) if ident == "resp_1" else None

    inputs = PlanInputs(call, HEADERS, b"", "r1", {}, find_keeper=find_keeper)
    snapshot = replace(
        SNAPSHOT, nodes=SNAPSHOT.nodes | {"a": replace(SNAPSHOT.nodes["a"], key="k")}
    )
    return plan_kept(snapshot, snapshot.deployments["d"], inputs)


def sent(made: Plan) -> bytes:
    (node,) = made.nodes
    return made.routes[node.name].request_for(node)


def test_it_goes_to_the_node_that_has_it() -> None:
    made = plan("GET", "resp_1?include=x")
    assert [node.name for node in made.nodes] == ["a"]
    assert (made.asked, made.model) == ("gpt", "tiny")
    assert sent(made) == (
        b"GET /base/v1/responses/resp_1?include=x HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
        b"User-Agent: sdk\r\nAuthorization: Bearer k\r\nAccept-Encoding: identity\r\n"
        b"x-request-id: r1\r\n\r\n"
    )


def test_it_waits_for_no_room() -> None:
    assert plan("DELETE", "resp_1").demand.is_about


@table(
    ("method", "path"),
    [("GET", "resp_1"), ("DELETE", "resp_1"), ("GET", "resp_1/input_items")],
)
def test_what_has_no_body_says_so_by_saying_nothing(method: str, path: str) -> None:
    made = sent(plan(method, path))
    assert made.startswith(f"{method} /base/v1/responses/{path} ".encode())
    assert b"Content-Length" not in made


def test_a_cancellation_is_an_empty_post() -> None:
    made = sent(plan("POST", "resp_1/cancel"))
    assert made.startswith(b"POST /base/v1/responses/resp_1/cancel ")
    assert made.endswith(b"\r\nContent-Length: 0\r\n\r\n")


def test_its_events_may_be_wanted_again() -> None:
    assert plan("GET", "resp_1?stream=true&starting_after=3").framing is Framing.SSE
    assert plan("GET", "resp_1").framing is Framing.UNARY


@table(
    ("method", "path", "translator"),
    [
        ("GET", "resp_1", NamespacedBody),
        ("GET", "resp_1?stream=true", NamespacedStream),
        ("POST", "resp_1/cancel", NamespacedBody),
        ("DELETE", "resp_1", NoneType),
        ("GET", "resp_1/input_items", NoneType),
    ],
)
def test_a_response_gets_its_client_s_names_back(method: str, path: str, translator: type) -> None:
    made = plan(method, path, names=NameRestorer(FlatNames(strict=False), b"[]"))
    assert type(made.routes["a"].translator) is translator


@table(
    ("path", "node"),
    [("resp_2", "a"), ("resp_1", "b"), ("resp_1", "c"), ("resp_1", "gone")],
    ids=["unknown", "an engine without such paths", "not of the deployment", "a node that left"],
)
def test_what_nobody_has_is_not_found(path: str, node: str) -> None:
    with pytest.raises(NotFound) as missing:
        plan("GET", path, node)
    assert missing.value.message == f"Response with id '{path}' not found."
