"""The simulator's paths, and its errors in the form of each protocol."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.errors import BadRequest, NotFound
from casedesk_proxy.simulator.routes import fail, read_json, read_path
from casedesk_proxy.simulator.script import Script
from casedesk_proxy.terms import Action, Dialect
from tests.fixtures.table import table

G, A, OAI = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI


@table(
    ("path", "read"),
    [
        ("/v1/messages", (A, Action.MESSAGES, None)),
        ("/v1/embeddings", (OAI, Action.EMBEDDINGS, None)),
        ("/v1beta/models/hf.co%2Forg:generateContent", (G, Action.GENERATE, "hf.co/org")),
        ("/v1/models/a:b:countTokens", (G, Action.COUNT_TOKENS, "a:b")),
    ],
)
def test_documented_paths(path: str, read: tuple[Dialect, Action, str | None]) -> None:
    assert read_path(path) == read


@table("path", ["/", "/v1/models/m:predict", "/v1alpha/models/m:generateContent", "/v1/messages/"])
def test_other_paths_are_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        read_path(path)


@table("body", [b"", b"[1]", b'{"a":', b"7"])
def test_a_body_must_be_an_object(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_json(body)


def test_an_error_has_the_form_of_its_protocol() -> None:
    script = Script(status=529, retry_after=3)
    reply = fail(A, Action.MESSAGES, script, "")
    assert (reply.status, reply.headers["Retry-After"]) == (529, "3")
    assert isinstance(reply.body, bytes)
    assert json.loads(reply.body)["error"]["type"] == "overloaded_error"


def test_google_puts_the_error_of_a_streamed_array_into_an_array() -> None:
    for query, kind in (("", list), ("alt=sse", dict)):
        reply = fail(G, Action.STREAM_GENERATE, Script(status=503), query)
        assert isinstance(reply.body, bytes)
        assert isinstance(json.loads(reply.body), kind)


def test_a_script_may_have_its_own_words() -> None:
    reply = fail(OAI, Action.CHAT, Script(status=500, body="out of memory"), "")
    assert reply.body == b"out of memory"
