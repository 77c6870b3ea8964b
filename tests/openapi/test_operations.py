"""An operation has JSON as request and reply unless it is declared otherwise."""

from __future__ import annotations

from casedesk_proxy.openapi.operations import JSON, Operation


def test_an_operation_is_json_both_ways() -> None:
    one = Operation("GET", "/status", "status", "Show", "State")
    assert (one.takes, one.sends, one.status, one.body) == ((JSON,), (JSON,), 200, None)
