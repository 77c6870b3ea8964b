"""The error that a client gets for a node's HTTP error, on each surface, without its address."""

from __future__ import annotations

import json
import re
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.node_errors.mapping import MAX_REASON_CHARS, map_node_error
from casedesk_proxy.errors import BadRequest, Busy, ProxyError, UpstreamTimeout
from casedesk_proxy.terms import Dialect
from tests.dialects.replies import names, read_reply
from tests.engines.known import known
from tests.fixtures.table import table

G, A, O = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI  # noqa: E741


def fault(status: int, body: bytes = b"", surface: Dialect = G, **headers: str) -> ProxyError:
    lines = tuple(
        (key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()
    )
    return map_node_error(surface, status, lines, body, "gemma2:9b")


@table(
    ("status", "gemini", "anthropic", "openai"),
    [
        (301, 500, 500, 500),
        (400, 400, 400, 400),
        (401, 500, 500, 500),
        (402, 500, 500, 500),
        (403, 500, 500, 500),
        (404, 404, 404, 404),
        (405, 400, 400, 400),
        (408, 504, 504, 504),
        (409, 409, 409, 409),
        (413, 400, 413, 413),
        (415, 400, 400, 400),
        (422, 400, 400, 400),
        (424, 500, 500, 500),
        (429, 429, 429, 429),
        (500, 500, 500, 500),
        (501, 501, 400, 501),
        (502, 503, 529, 503),
        (503, 503, 529, 503),
        (504, 504, 504, 504),
        (529, 503, 529, 503),
    ],
)
def test_status(status: int, gemini: int, anthropic: int, openai: int) -> None:
    assert [fault(status, surface=one).status for one in (G, A, O)] == [gemini, anthropic, openai]


@table(
    "name",
    [
        "llama-server.error-context",
        "llama-server.messages-error-context",
        "sglang-0.5.23.error-context",
    ],
)
def test_a_long_prompt_in_the_words_of_each_surface(name: str) -> None:
    reply = read_reply(name)
    assert [fault(reply.status, reply.body, one).message for one in (G, A, O)] == [
        "The input token count (9004) exceeds the maximum number of tokens allowed (4096).",
        "prompt is too long: 9004 tokens > 4096 maximum",
        "This model's maximum context length is 4096 tokens; the request needs 9004.",
    ]
    assert fault(reply.status, reply.body, O).code == "context_length_exceeded"


@table(
    ("text", "wanted"),
    [
        (
            "This model's maximum context length is 4096 tokens. However, your prompt contains at "
            "least 4097 input tokens, which exceeds this limit",
            "prompt is too long: 4097 tokens > 4096 maximum",
        ),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 9000 "
            "tokens (8000 in the messages, 1000 in the completion).",
            "input length and `max_tokens` exceed context limit: 8000 + 1000 > 8192, "
            "decrease input length or `max_tokens` and try again",
        ),
        (
            "Input validation error: `inputs` must have less than 1024 tokens. Given: 1100",
            "prompt is too long: 1100 tokens > 1024 maximum",
        ),
        ("the context window is full", "prompt is too long"),
        (
            "max_tokens is too large: 5000. This model's maximum context length is 4096",
            "the node refused the request: max_tokens is too large: 5000. "
            "This model's maximum context length is 4096",
        ),
    ],
)
def test_other_words_for_a_long_prompt(text: str, wanted: str) -> None:
    body = b'{"error": {"message": "%b"}}' % text.encode()
    assert fault(400, body, A).message == wanted


@table(
    ("name", "status", "message"),
    [
        (
            "llama-server.error-image",
            400,
            "the model does not accept this kind of input; use another model",
        ),
        (
            "sglang-0.5.23.error-image",
            400,
            "the model does not accept this kind of input; use another model",
        ),
        (
            "vllm-0.32.0.error-image",
            400,
            "the model does not accept this kind of input; use another model",
        ),
        (
            "ollama-0.9.3.chat-error-think",
            400,
            "the model does not support thinking; turn it off, or use another model",
        ),
        (
            "llama-server.messages-error-empty",
            400,
            "the request has no messages; send at least one",
        ),
        ("llama-server.loading", 503, "the node is not available now; retry later"),
        (
            "llama-server.error-key",
            500,
            "the node failed to serve the request; look into the node's log",
        ),
        (
            "ollama-0.9.3.error-host",
            500,
            "the node failed to serve the request; look into the node's log",
        ),
        *chain.from_iterable(known("ERRORS").values()),
        (
            "ollama-0.9.3.v1-error-empty",
            400,
            "the node refused the request: [] is too short - 'messages'",
        ),
        (
            "vllm-0.32.0.error-model",
            404,
            "the node does not have the model 'gemma2:9b', or does not offer this for it;"
            " use another model",
        ),
    ],
)
def test_recorded_errors(name: str, status: int, message: str) -> None:
    reply = read_reply(name)
    found = fault(reply.status, reply.body)
    assert (found.status, found.message) == (status, message)


@table("name", names("*error*"))
@table("surface", [G, A, O])
def test_no_recorded_error_tells_of_its_machine(name: str, surface: Dialect) -> None:
    reply = read_reply(name)
    told = map_node_error(surface, reply.status, reply.headers, reply.body, "gemma2:9b")
    assert not re.search(r"/usr|site-packages|\.py|127\.0\.0\.1|ollama\.ai|, line \d", told.message)


@table(
    ("reason", "told"),
    [
        ("cannot reach http://10.0.0.7:8080/v1", "cannot reach …"),
        ("no route to 10.1.2.3:8000", "no route to …"),
        ("[fe80::1]:80 is down", "… is down"),
        ("gpu-7.example:9000 is down", "… is down"),
        ("cannot open /srv/models/a.gguf now", "cannot open … now"),
        ("cannot open ./models/a.gguf", "cannot open …"),
        (r"cannot open C:\models\a.gguf", "cannot open …"),
        ("registry.example/library/tiny is odd", "… is odd"),
        ("either and/or, 3/4 of it", "either and/or, 3/4 of it"),
        ("bad value\n  File 'x.py', line 3", "bad value"),
        ("bell \a rings", "bell   rings"),
    ],
)
def test_places_are_cut_out_of_a_reason(reason: str, told: str) -> None:
    import json

    body = json.dumps({"error": {"message": reason}}).encode()
    assert fault(400, body).message == f"the node refused the request: {told}"


@table(
    "body",
    [b"", b"<html>nginx</html>", b"Traceback (most recent call last):\n x", b'File "/a/b.py"',
     b"[]", b"{}", b"null", b"7", b'{"error": null}', b'{"detail": [1, {"loc": 2}]}'],
)  # fmt: skip
def test_without_a_reason_there_is_still_an_answer(body: bytes) -> None:
    assert (
        fault(400, body).message
        == "the node refused the request and gave no reason; look into the node's log"
    )


def test_where_a_reason_stands() -> None:
    for body in (
        b'{"error": {"message": "why"}}',
        b'{"error": "why"}',
        b'{"object": "error", "message": "why"}',
        b'{"detail": "why"}',
        b'{"detail": [{"msg": "why"}]}',
        b"why",
    ):
        assert fault(422, body).message == "the node refused the request: why"


def test_a_long_reason_is_cut() -> None:
    assert len(fault(400, b'{"error": "%b"}' % (b"x" * 9999)).message) < MAX_REASON_CHARS + 40


def test_retry_after() -> None:
    busy = fault(429, retry_after="7")
    assert isinstance(busy, Busy)
    assert busy.retry_after == 7
    assert fault(429).retry_after is None
    assert fault(429, Retry_After="soon").retry_after is None
    assert fault(503).retry_after == 3
    assert fault(503, Retry_After="20").retry_after == 20
    assert isinstance(fault(504), UpstreamTimeout)


@given(st.integers(300, 999), st.binary(max_size=200), st.sampled_from([G, A, O]))
def test_any_reply_gives_an_error(status: int, body: bytes, surface: Dialect) -> None:
    found = map_node_error(surface, status, (), body, "m")
    assert 400 <= found.status <= 599
    assert found.message


@table("surface", [G, A, O])
def test_a_number_without_end_is_no_size(surface: Dialect) -> None:
    for told in ("context size " + "1" * 5000, "1" * 5000 + " context size 4"):
        body = json.dumps({"error": {"message": told}}).encode()
        assert isinstance(fault(400, body, surface), BadRequest)


@table("surface", [Dialect.ANTHROPIC, Dialect.GEMINI, Dialect.OPENAI])
@table(
    "reason",
    [
        "Tool 'get_context_length' not found in the list of tools",
        "'the prompt is too long to read' is not of type 'object'",
        'tool_choice: no tool named "mmproj_loader"',
        "Additional properties are not allowed ('context window' was unexpected)",
        "unknown grammar rule `text only model`",
        "The model's template doesn't know 'does not support tools'",
    ],
)
def test_what_a_reason_quotes_is_the_clients_word(reason: str, surface: Dialect) -> None:
    body = json.dumps({"error": {"message": reason}}).encode()
    fault = map_node_error(surface, 400, (), body, "m", ())
    assert (fault.status, fault.code) == (400, "invalid_request")
    assert fault.message == f"the node refused the request: {reason}"
