"""Keepalives that every SDK accepts, and where there are none."""

from __future__ import annotations

import json

from casedesk_proxy.replying.keepalive import keepalive_bytes
from casedesk_proxy.terms import Dialect, Framing
from tests.fixtures.table import table

RETIRED = b"genai-js/0.24.1 gl-node/22"


@table("surface", list(Dialect))
def test_in_one_document_there_is_no_place(surface: Dialect) -> None:
    assert keepalive_bytes(surface, Framing.UNARY, b"") == b""


@table("surface", [one for one in Dialect if one is not Dialect.OLLAMA])
def test_a_sign_ends_as_events_do(surface: Dialect) -> None:
    assert keepalive_bytes(surface, Framing.SSE, b"").endswith(b"\n\n")


def test_among_lines_it_is_a_blank_before_the_next() -> None:
    """Ollama's clients read each line as JSON, and would take an empty line for an error."""
    sign = keepalive_bytes(Dialect.OLLAMA, Framing.LINES, b"")
    assert sign == b" "
    assert json.loads(sign + b'{"done":true}\n') == {"done": True}


def test_in_an_array_it_is_a_blank() -> None:
    assert keepalive_bytes(Dialect.GEMINI, Framing.JSON_ARRAY, RETIRED) == b"\n"


def test_the_retired_sdk_has_a_candidate_that_says_nothing() -> None:
    sign = keepalive_bytes(Dialect.GEMINI, Framing.SSE, RETIRED)
    (candidate,) = json.loads(sign.removeprefix(b"data: "))["candidates"]
    assert candidate["content"]["parts"] == []
    assert keepalive_bytes(Dialect.OPENAI, Framing.SSE, RETIRED) == b": \n\n"
