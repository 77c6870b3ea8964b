"""Ollama's shapes: errors, lists of several nodes in one, and the version that all of them have."""

from __future__ import annotations

import json

from casedesk_proxy.errors import Busy, NoNode, NotFound, ProxyError, StreamBroken
from casedesk_proxy.surfaces.ollama import (
    error_body,
    error_frame,
    http_status,
    least_version,
    merge_models,
)
from tests.fixtures.table import table


def test_an_error_is_a_text() -> None:
    told = b'{"error":"the node ? broke; wait"}'
    assert error_body(StreamBroken("\ud800 broke; wait")) == told
    assert error_frame(StreamBroken("\ud800 broke; wait")) == told + b"\n"


def test_an_unknown_model_is_told_in_ollama_s_words() -> None:
    error = NotFound("model 'a' is not served here; available: b", code="model_not_found")
    error.model = "a"
    told = json.loads(error_body(error))["error"]
    assert told == "model 'a' not found: model 'a' is not served here; available: b"


@table(
    ("error", "status"),
    [(Busy("m"), 503), (NoNode("m"), 503), (StreamBroken("m"), 502),
     (ProxyError("m", status=529), 503), (NotFound("m"), 404)],
)  # fmt: skip
def test_too_much_to_do_is_503(error: ProxyError, status: int) -> None:
    assert http_status(error) == status


OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def test_lists_of_several_nodes_are_one() -> None:
    first = {"a:1b": {"name": "a:1b", "model": "a:1b", "size": 1, "modified_at": OLD}}
    second = {
        "a:1b": {"name": "a:1b", "size": 2},
        "b:1b": {"name": "b:1b", "size": 3, "modified_at": NEW},
        "c:1b": {"name": "c:1b", "modified_at": 7},
    }
    shown = [("fast", "a:1b"), ("a:1b", "a:1b"), ("b:1b", "b:1b"), ("c:1b", "c:1b"), ("d", "d")]
    assert merge_models(shown, [first, second]) == {
        "models": [
            {"name": "b:1b", "model": "b:1b", "size": 3, "modified_at": NEW},
            {"name": "a:1b", "model": "a:1b", "size": 1, "modified_at": OLD},
            {"name": "fast", "model": "fast", "size": 1, "modified_at": OLD},
            {"name": "c:1b", "model": "c:1b", "modified_at": 7},
        ]
    }


@table(
    ("versions", "least"),
    [
        ([], ""),
        (["0.9.3", "0.14.2"], "0.9.3"),
        (["0.14.2", "0.14.10"], "0.14.2"),
        (["v1.0", "0.33.1-rc2"], "0.33.1-rc2"),
        (["0.1", "unknown"], "unknown"),
    ],
)
def test_the_version_that_all_have(versions: list[str], least: str) -> None:
    assert least_version(versions) == least
