"""A request as it is sent to one node."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from casedesk_proxy.dialects.core.contract import SideRequest
from casedesk_proxy.planning.route import PlanInputs, Route
from casedesk_proxy.terms import Dialect
from tests.planning.configs import make_snapshot

NODES = make_snapshot().nodes


def route(**more: Any) -> Route:
    return Route(Dialect.OPENAI, "/v1/x?a=b", ((b"X-A", b"b"),), "req-1", b"body", **more)


def test_each_node_has_its_own_host_and_its_own_key() -> None:
    made = route()
    local, google = made.request_for(NODES["local"]), made.request_for(NODES["google"])
    assert local.startswith(b"POST /v1/x?a=b HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nX-A: b\r\n")
    assert google.startswith(b"POST /base/v1/x?a=b HTTP/1.1\r\nHost: gemini.example\r\n")
    assert b"google-key" in google
    assert b"google-key" not in local
    assert local.endswith(b"\r\nx-request-id: req-1\r\nContent-Length: 4\r\n\r\nbody")
    assert made.request_for(NODES["local"]) == local, "its head is kept"
    assert "google-key" not in repr(made)


def test_a_side_request_is_a_request_of_its_own() -> None:
    made = route(side_request=SideRequest("/tokenize", b"counted", lambda body: None))
    made.request_for(NODES["google"])
    asked = made.side_request_for(NODES["google"])
    assert asked.startswith(b"POST /base/tokenize HTTP/1.1\r\nHost: gemini.example\r\n")
    assert asked.endswith(b"\r\nContent-Length: 7\r\n\r\ncounted")
    assert b"google-key" in asked


def test_what_is_only_asked_for_has_no_body() -> None:
    made = route(method="GET").request_for(NODES["local"])
    assert made.startswith(b"GET /v1/x?a=b HTTP/1.1\r\n")
    assert made.endswith(b"\r\nx-request-id: req-1\r\n\r\n")
    assert b"Content-Length" not in made


def test_another_body_changes_nothing_else() -> None:
    given: Any = {one.name: object() for one in fields(PlanInputs)}
    inputs = PlanInputs(**given)
    other = inputs.with_body(b"other")
    for one in fields(PlanInputs):
        wanted = b"other" if one.name == "raw" else given[one.name]
        assert getattr(other, one.name) is wanted, one.name
    assert inputs.with_body(inputs.raw) is inputs
