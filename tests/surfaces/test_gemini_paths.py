"""Gemini paths: the model, the action, and the framing that is asked for."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest, NotFound
from casedesk_proxy.surfaces.gemini_paths import asks_for_sse, read_resource, wrong_method
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Action, Framing, RawHeaders
from tests.fixtures.table import table

NONE: RawHeaders = ()


@table(
    ("query", "accept", "framing"),
    [
        ("", b"*/*", Framing.JSON_ARRAY),
        ("alt=sse", b"*/*", Framing.SSE),
        ("$alt=sse", b"*/*", Framing.SSE),
        ("%24alt=sse", b"*/*", Framing.SSE),
        ("alt=SSE&x=1", b"*/*", Framing.SSE),
        ("x=1&alt=sse", b"*/*", Framing.SSE),
        ("%24alt=sse%3Benum-encoding%3Dint", b"*/*", Framing.SSE),
        ("%24alt=json%3Benum-encoding%3Dint", b"*/*", Framing.JSON_ARRAY),
        ("alt=json", b"*/*", Framing.JSON_ARRAY),
        ("salt=sse", b"*/*", Framing.JSON_ARRAY),
        ("alt=", b"application/json", Framing.JSON_ARRAY),
        ("", b"application/json, Text/Event-Stream;q=0.9", Framing.SSE),
    ],
)
def test_framing(query: str, accept: bytes, framing: Framing) -> None:
    call = read_call("POST", f"/v1/models/m:streamGenerateContent?{query}", ((b"ACCEPT", accept),))
    assert call.framing is framing
    assert call.query == query
    unary = read_call("POST", f"/v1/models/m:generateContent?{query}", ((b"Accept", accept),))
    assert unary.framing is Framing.UNARY


@table(
    ("path", "told"),
    [
        ("/v1beta/models/gemma2:9b", "unknown action '9b'"),
        ("/v1beta/models/x:generatecontent", "unknown action 'generatecontent'"),
        ("/v1beta/models/x:predict", "known actions: generateContent, "),
        ("/v1beta/models/x:", "unknown action ''"),
        ("/v1/models/x:" + "y" * 5000, "yyy…'"),
        ("/v1beta/models/x", "path has no action"),
        ("/proxy/d/gemini/v1beta/tunedModels/x", "path has no action"),
        ("/v1beta/models/:generateContent", "no model"),
        ("/v1beta/models:generateContent", "no model"),
    ],
)
def test_unknown_action(path: str, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_call("POST", path, NONE)
    assert caught.value.status == 400
    assert told in caught.value.message
    assert len(caught.value.message) < 300


@table("path", ["/v1beta/x", "/proxy/d/gemini/x/y", "/genai/v1/x%20y"])
def test_post_to_neither_model_nor_action(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_call("POST", path, NONE)
    assert caught.value.code == "not_found"


@table(
    ("method", "rest", "read"),
    [
        ("POST", "models/a:b:generateContent", (Action.GENERATE, "a:b")),
        ("POST", "models/models/m%3aembedContent", (Action.EMBED, "m")),
        ("POST", "publishers/google/models/m:countTokens", (Action.COUNT_TOKENS, "m")),
        ("GET", "models/a:b", (Action.GET_MODEL, "a:b")),
        ("GET", "models", (Action.LIST_MODELS, None)),
        ("GET", "tunedModels", (Action.LIST_MODELS, None)),
    ],
)
def test_models_and_actions(method: str, rest: str, read: tuple[Action, str | None]) -> None:
    assert read_resource(method, rest) == read


def test_the_refusal_of_a_method_names_those_that_are_allowed() -> None:
    error = wrong_method("GET")
    assert (error.status, error.allow) == (405, "GET")


@table(
    ("query", "accept", "wanted"),
    [
        ("alt=sse", b"", True),
        ("$alt=sse%3Benum-encoding%3Dint", b"", True),
        ("alt=json", b"text/event-stream, */*", True),
        ("alt=json", b"*/*", False),
        ("x=alt%3Dsse", b"", False),
    ],
)
def test_who_asks_for_events(query: str, accept: bytes, wanted: bool) -> None:
    assert asks_for_sse(query, ((b"accept", accept),)) is wanted
