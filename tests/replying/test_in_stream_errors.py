"""Errors that a node puts into a reply of status 200."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest, NodeError
from casedesk_proxy.replying.in_stream_errors import judge_within, read_within
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table


@table(
    ("payload", "status"),
    [
        (b'{"error":{"message":"no","code":503}}', 503),
        (b'data: {"error":{"message":"no","code":400}}\n\n', 400),
        (b': alive\n\ndata: {"error":{"message":"no","code":429}}\n\n', 429),
        (b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', 529),
        (b'event: error\rdata: {"type":"error","error":{"type":"overloaded_error"}}\r\r', 529),
        (b':\r\revent: error\r\ndata: {"error":{"code":503}}\r\n\r\n', 503),
        (b'{"object":"error","message":"m","code":404}', 404),
        (b'{"detail":[{"msg":"m"}]}', 422),
        (b'data: {"error":"no"}\n\ndata: [DONE]\n\n', 500),
    ],
)
def test_an_error_at_the_beginning(payload: bytes, status: int) -> None:
    error = read_within(payload)
    assert isinstance(error, NodeError)
    assert error.answered == status


@table("payload", [b"<!doctype HTML>\n<p>", b" \r\n<html lang='en'>", b"<HTML>"])
def test_a_web_page(payload: bytes) -> None:
    error = read_within(payload)
    assert error is not None
    assert error.message.startswith("the node answered with a web page; correct its url")


@table(
    "payload",
    [
        b"",
        b"<htmlx>",
        b"<think>html</think>",
        b" {}",
        b'data: {"choices":[]}\n\n',
        b'data: {"choices":[{"delta":{"content":"an error"}}]}\n\n',
        b'data: {"error":null,"choices":[]}\n\n',
        b'data: {"message":{"role":"assistant"}}\n\n',
        b'data: {"error":{"message":"not all',
        b'data: {"error":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}\n\n",
        b'["error"]',
    ],
)
def test_an_answer_and_what_is_not_all_there(payload: bytes) -> None:
    assert read_within(payload) is None


@given(st.binary(max_size=60))
def test_any_bytes(garbage: bytes) -> None:
    for body in (garbage, b'{"error":' + garbage):
        found = read_within(body)
        assert found is None or isinstance(found, NodeError)


def test_it_is_judged_as_an_http_error_is_and_the_key_not_told() -> None:
    body = b'{"error":{"message":"invalid value of secret-key","type":"invalid_request_error"}}'
    error = judge_within(Dialect.OPENAI, NodeError(400, body), "m", "secret-key")
    assert isinstance(error, BadRequest)
    assert "secret" not in error.message
