"""Which bodies a surface's clients recognise as errors."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.envelopes import error_reply
from casedesk_proxy.surfaces.error_shapes import is_error
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table

G, A, O = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI  # noqa: E741
GOOGLES = {"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}
LLAMAS = {"error": {"code": 400, "message": "no", "type": "invalid_request_error"}}
ANTHROPICS = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}


@table(
    ("document", "known_to"),
    [
        (GOOGLES, {G, O}),
        ([GOOGLES], {G}),
        ([GOOGLES, GOOGLES], set()),
        (LLAMAS, {O}),
        (ANTHROPICS, {A, O}),
        ({"error": {"message": "no"}}, {O}),
        ({"error": "no"}, set()),
        ({"object": "error", "message": "no", "code": 400}, set()),
        ({"detail": "Not Found"}, set()),
        ({"error": {"code": "400", "message": "no", "status": "X"}}, {O}),
        ({"error": {"message": None}}, set()),
        ([], set()),
        ("no", set()),
        (None, set()),
    ],
)
def test_shapes(document: Any, known_to: set[Dialect]) -> None:
    body = json.dumps(document).encode()
    assert {surface for surface in (G, A, O) if is_error(surface, body)} == known_to
    assert is_error(Dialect.RESPONSES, body) == is_error(O, body)
    assert is_error(Dialect.OLLAMA, body) is (document == {"error": "no"})


@table("surface", list(Dialect))
def test_our_own_are_in_shape(surface: Dialect) -> None:
    assert is_error(surface, error_reply(surface, BadRequest("no"), "id").body)


@table("body", [b"", b"Internal Server Error", b"<html></html>", b"\xff", b"{"])
@table("surface", list(Dialect))
def test_what_is_no_json_is_no_error(surface: Dialect, body: bytes) -> None:
    assert not is_error(surface, body)


@given(st.sampled_from(Dialect), st.binary(max_size=80))
def test_any_bytes(surface: Dialect, body: bytes) -> None:
    assert is_error(surface, body) in (True, False)
