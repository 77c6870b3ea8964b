"""Errors of a node in the client's protocol, or nearly in it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import KeyRefused, ModelLost, ProxyError
from casedesk_proxy.replying.node_errors import (
    MAX_ERROR_BYTES,
    judge_refusal,
    nodes_affair,
    remedy,
    without_key,
)
from casedesk_proxy.replying.verdict import Verdict
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.http1 import parse_response_head
from tests.dialects.replies import names, read_reply
from tests.fixtures.table import table

NODE = b"10.0.0.7:8000"
OPENAIS = b'{"error":{"message":"no such thing","type":"invalid_request_error","code":null}}'


def judge(surface: Dialect, status: int, body: bytes, *headers: str) -> ProxyError | None:
    lines = "\r\n".join([f"HTTP/1.1 {status} X", *headers])
    return judge_refusal(surface, parse_response_head(lines.encode()), body, NODE, "gemma2:9b")


@table("status", [400, 401, 404, 422, 429, 500, 503, 529])
def test_a_body_in_shape_goes_out_as_it_is(status: int) -> None:
    assert judge(Dialect.OPENAI, status, OPENAIS) is None


@table("status", [400, 401, 403, 404, 413, 422, 429, 500, 503, 529])
@table("body", [b"", b"<html>502</html>", b'{"detail":"Not Found"}', OPENAIS])
def test_others_are_said_in_our_words_with_the_nodes_status(status: int, body: bytes) -> None:
    told = judge(Dialect.ANTHROPIC, status, body)
    assert told is not None
    assert told.status == status
    assert told.message
    assert "html" not in told.message


def test_a_fault_of_the_request_is_not_to_be_repeated() -> None:
    body = b'{"error":{"code":500,"message":"\'messages\' is required","type":"server_error"}}'
    told = judge(Dialect.ANTHROPIC, 500, body)
    assert told is not None
    assert (told.status, told.message) == (400, "the request has no messages; send at least one")


def test_a_pause_that_the_node_asks_for_stays() -> None:
    told = judge(Dialect.GEMINI, 429, b"slow down", "Retry-After: 7")
    assert told is not None
    assert told.retry_after == 7


@table(
    "secret",
    [
        "cannot connect to 10.0.0.7:8000",
        'Traceback (most recent call last):\n File "/opt/x.py"',
        "goroutine 1 [running]: main.go",
    ],
)
def test_what_only_the_node_knows_stays_there(secret: str) -> None:
    body = json.dumps({"error": {"message": secret, "type": "x"}}).encode()
    told = judge(Dialect.OPENAI, 500, body)
    assert told is not None
    assert secret[:12] not in told.message
    assert "10.0.0.7" not in told.message


@table("status", [400, 401, 500])
@table("key", ["sk-secret", 'sk-"secret\\', "sk-/secret"])
def test_a_key_that_the_node_does_not_take_is_not_told(key: str, status: int) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key: {key}", "type": "x"}}).encode()
    assert b"secret" not in without_key(body, key)
    head = parse_response_head(b"HTTP/1.1 %d X" % status)
    told = judge_refusal(Dialect.OPENAI, head, body, NODE, "m", key)
    assert told is not None
    assert "secret" not in told.message
    assert judge_refusal(Dialect.OPENAI, head, body, NODE, "m", "another") is None


@table(
    "told",
    [
        "sk-oper***WXYZ",
        "sk-op********************WXYZ",
        "sk-o...WXYZ",
        "****WXYZ",
        "sk-xxxxxxxxxxxx",
        "sk-oper••••WXYZ",
    ],
)
def test_nor_a_part_of_it(told: str) -> None:
    body = json.dumps({"error": {"message": f"bad key {told}, see", "type": "x"}}).encode()
    for raw in (body, f"bad key {told}, see".encode()):
        blotted = without_key(raw, "sk-oper-0123456789-WXYZ")
        assert b"WXYZ" not in blotted
        assert b"sk-" not in blotted
        assert b"bad key ..." in blotted
    plain = b'{"error":{"message":"sk-ip this ... and that","type":"x"}}'
    assert without_key(plain, "sk-oper-0123456789-WXYZ") == plain
    assert without_key(body, "sk-") == body.replace(b"sk-", b"...")


def test_an_endless_error_is_none_of_a_known_form() -> None:
    body = json.dumps({"error": {"message": "x" * MAX_ERROR_BYTES}}).encode()
    assert judge(Dialect.OPENAI, 400, body) is not None


@table("name", names("*error*"))
def test_recorded(name: str) -> None:
    reply = read_reply(name)
    for surface in Dialect:
        told = judge(surface, reply.status, reply.body)
        if told is not None:
            assert told.status in (reply.status, 400)
            assert told.message


@given(st.sampled_from(Dialect), st.integers(400, 599), st.binary(max_size=60))
def test_any_bytes(surface: Dialect, status: int, body: bytes) -> None:
    found = judge(surface, status, body)
    assert found is None or isinstance(found, ProxyError)


def anthropics(text: str) -> bytes:
    told = {"type": "invalid_request_error", "message": text}
    return json.dumps({"type": "error", "error": told}).encode()


@table(
    ("text", "wanted"),
    [
        ("prompt is too long: 9010 tokens > 8192 maximum", None),
        ("Could not process image", "unsupported_media"),
        ("messages.0.content: Field required", None),
        ("This model's maximum context length is 8192 tokens. However, your request has 9010 "
         "input tokens.", "invalid_request"),
        ("m is not a multimodal model", "unsupported_media"),
    ],
)  # fmt: skip
def test_anthropics_form_with_other_words_is_said_in_the_vendors(
    text: str, wanted: str | None
) -> None:
    told = judge(Dialect.ANTHROPIC, 400, anthropics(text))
    assert (told and told.code) == wanted


@table(
    "text",
    ["m is not a multimodal model", "image input is not supported - hint: if this is unexpected, "
     "you may need to provide the mmproj"],
)  # fmt: skip
def test_a_picture_that_a_model_cannot_take_is_not_to_be_repeated(text: str) -> None:
    body = json.dumps({"error": {"message": text, "type": "server_error", "code": 500}}).encode()
    told = judge(Dialect.OPENAI, 500, body)
    assert told is not None
    assert (told.status, told.code) == (400, "unsupported_media")
    assert judge(Dialect.OPENAI, 400, body) is None


def test_another_500_in_shape_goes_out_as_it_is() -> None:
    body = b'{"error":{"message":"EngineCore died","type":"server_error","code":500}}'
    assert judge(Dialect.OPENAI, 500, body) is None


@table(
    ("verdict", "status", "error", "words"),
    [
        (Verdict.DENIED, 401, KeyRefused, "access (status 401)"),
        (Verdict.MODEL_DENIED, 403, KeyRefused, "access for the model 'tiny' (status 403)"),
        (
            Verdict.NO_MODEL,
            404,
            ModelLost,
            "alias 'gpt' points to 'tiny', which node a no longer has; correct the alias",
        ),
        (Verdict.NOT_OFFERED, 404, ModelLost, "node a does not offer chat for 'tiny'"),
        (Verdict.NOT_OFFERED, 410, ModelLost, "node a does not offer chat for 'tiny'"),
        (Verdict.NOT_OFFERED, 405, None, ""),
        (Verdict.NOT_OFFERED, 501, None, ""),
        (Verdict.REQUEST, 400, None, ""),
    ],
)
def test_what_is_the_nodes_own_affair(
    verdict: Verdict, status: int, error: type[ProxyError] | None, words: str
) -> None:
    told = nodes_affair(verdict, status, "a", "gpt", "tiny", "chat")
    if error is None:
        assert told is None
    else:
        assert type(told) is error
        assert words in told.message


def test_a_model_under_its_own_name_stands_for_nothing_else() -> None:
    told = nodes_affair(Verdict.NO_MODEL, 404, "a", "models/tiny", "tiny", "chat")
    assert told is not None
    assert told.message == "node a no longer has model 'models/tiny'; use another one"


@table(
    ("verdict", "status", "keyed", "words"),
    [
        (Verdict.DENIED, 402, True, "it answered 402: its account has no credit left"),
        (Verdict.DENIED, 401, True, "refusing to accept its key: check nodes.a.api_key"),
        (Verdict.DENIED, 401, False, "refusing access: it may need nodes.a.api_key"),
        (Verdict.MODEL_DENIED, 403, True, "refusing to accept its key for 'tiny': check"),
        (Verdict.NO_MODEL, 404, False, "it answered 404: it does not have the model 'tiny'"),
        (Verdict.FAILED, 500, False, "it answered 500"),
    ],
)
def test_what_an_operator_can_do(verdict: Verdict, status: int, keyed: bool, words: str) -> None:
    assert words in remedy(verdict, status, "a", "tiny", keyed=keyed)
