"""The last event of a Responses stream that broke."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.errors import BadRequest, NoNode, ProxyError
from casedesk_proxy.surfaces.responses import error_frame
from tests.fixtures.table import table

FIRST = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    b'"response":{"id":"resp_1","object":"response"}}\n\n'
)
LAST = b'event: x\ndata: {"type":"x","sequence_number":41}\n\n'


def failed(error: ProxyError, *stream: bytes) -> dict[str, Any]:
    name, data, *rest = error_frame(error, *stream).split(b"\n")
    assert name == b"event: response.failed", "Codex ignores one of the name error"
    assert rest == [b"", b""]
    return dict(json.loads(data.removeprefix(b"data: ")))


def test_it_goes_on_from_what_the_stream_said() -> None:
    event = failed(NoNode("gone"), FIRST, FIRST + LAST)
    assert event["response"]["id"] == "resp_1"
    assert event["sequence_number"] == 42


def test_of_a_stream_that_said_nothing() -> None:
    event = failed(NoNode("gone"))
    assert event["response"]["id"] == "resp_unknown"
    assert event["sequence_number"] == 0


@table(("error", "code"), [(NoNode("m"), "server_error"), (BadRequest("m"), "invalid_request")])
def test_a_node_s_failure_is_a_server_error(error: ProxyError, code: str) -> None:
    assert failed(error)["response"]["error"] == {"code": code, "message": "m"}
