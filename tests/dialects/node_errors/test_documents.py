"""Errors in all forms in which nodes write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.events import read_object
from casedesk_proxy.dialects.node_errors.documents import is_error, reason_of, status_of
from casedesk_proxy.errors import NodeError
from casedesk_proxy.jsonio import dumps
from tests.fixtures.table import table

SHAPES: list[tuple[Any, int, str]] = [
    ({"error": {"message": "m", "type": "BadRequestError", "code": 400}}, 400, "m"),
    ({"error": {"message": "m", "type": "x", "code": "503"}}, 503, "m"),
    ({"error": {"message": "m", "type": "invalid_request_error", "code": None}}, 400, "m"),
    ({"error": {"message": "m", "code": "context_length_exceeded"}}, 400, "m"),
    ({"error": {"message": "m", "type": "exceed_context_size_error"}}, 400, "m"),
    ({"error": {"message": "m", "type": "rate_limit_error"}}, 429, "m"),
    ({"error": {"message": "m", "type": "server_error", "code": "oops"}}, 500, "m"),
    ({"error": {"message": "m"}}, 500, "m"),
    ({"error": {"message": "m"}, "status_code": 503}, 503, "m"),
    ({"error": "m"}, 500, "m"),
    ({"error": "m", "error_type": "validation"}, 400, "m"),
    ({"error": "m", "error_type": "overloaded"}, 529, "m"),
    ({"StatusCode": 404, "Status": "404 Not Found", "error": "m"}, 404, "m"),
    ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}, 400, "m"),
    ({"object": "error", "message": "m"}, 500, "m"),
    ({"code": 503, "message": "m", "type": "unavailable_error"}, 503, "m"),
    ({"message": "m", "type": "not_found_error"}, 404, "m"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, 529, "m"),
    ({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}, 429, "m"),
    ({"error": {"message": "m", "status": "INVALID_ARGUMENT", "code": 3}}, 400, "m"),
    ({"detail": "m"}, 500, "m"),
    ({"detail": [{"loc": ["body", "n"], "msg": "m", "type": "int"}, {"msg": "o"}]}, 422, "m; o"),
    ({"detail": {"error": {"message": "m", "code": 400}}}, 400, "m"),
]


@table(("document", "status", "reason"), SHAPES)
def test_shapes(document: Any, status: int, reason: str) -> None:
    assert is_error(document)
    assert (status_of(document), reason_of(document)) == (status, reason)
    with pytest.raises(NodeError) as caught:
        read_object(dumps(document))
    assert (caught.value.answered, caught.value.body) == (status, dumps(document))


@table(
    "document",
    [
        {},
        {"choices": [], "usage": {}},
        {"choices": [{"delta": {"content": "error"}}], "error": None, "message": "m", "code": 1},
        {"object": "chat.completion.chunk", "choices": [], "detail": "m"},
        {"type": "message_start", "message": {"content": []}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"text": "error"}},
        {"object": "list", "data": [], "model": "m"},
        {"count": 3, "max_model_len": 4096},
    ],
)
def test_parts_of_an_answer_are_no_errors(document: Any) -> None:
    assert not is_error(document)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["error", "detail", "message", "code", "type", "status", "msg"]),
            inner,
            max_size=4,
        ),
    ),
)


@given(JSON)
def test_any_document_is_read(document: Any) -> None:
    assert 400 <= status_of(document) <= 599
    assert isinstance(reason_of(document), str)
