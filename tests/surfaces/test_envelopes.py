"""Errors in the form that each surface's clients understand, whole and inside streams."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import (
    BadRequest,
    Busy,
    ConnectFailed,
    Forbidden,
    KeyRefused,
    LimitReached,
    NoNode,
    NotFound,
    ProxyError,
    StreamBroken,
    TooLarge,
    Unauthenticated,
    Unsupported,
    UpstreamTimeout,
    Violation,
)
from casedesk_proxy.surfaces import anthropic, gemini, openai
from casedesk_proxy.surfaces.envelopes import (
    base_reply,
    error_reply,
    json_reply,
    list_reply,
    model_reply,
)
from casedesk_proxy.terms import Action, Call, Dialect, Limit, ModelInfo, Standing
from tests.fixtures.table import table

G, A, OAI = Dialect.GEMINI, Dialect.ANTHROPIC, Dialect.OPENAI


@table(
    ("error", "google", "claude", "gpt"),
    [
        (BadRequest("m"), (400, "INVALID_ARGUMENT"), (400, "invalid_request_error"),
         (400, "invalid_request_error")),
        (Unsupported("m"), (400, "INVALID_ARGUMENT"), (400, "invalid_request_error"),
         (400, "invalid_request_error")),
        (Unauthenticated("m"), (401, "UNAUTHENTICATED"), (401, "authentication_error"),
         (401, "authentication_error")),
        (Forbidden("m"), (403, "PERMISSION_DENIED"), (403, "permission_error"),
         (403, "permission_error")),
        (NotFound("m"), (404, "NOT_FOUND"), (404, "not_found_error"), (404, "not_found_error")),
        (BadRequest("m", status=405), (405, "UNIMPLEMENTED"), (405, "invalid_request_error"),
         (405, "invalid_request_error")),
        (BadRequest("m", status=408), (408, "DEADLINE_EXCEEDED"), (408, "timeout_error"),
         (408, "invalid_request_error")),
        (ProxyError("m", status=409), (409, "ABORTED"), (409, "conflict_error"),
         (409, "invalid_request_error")),
        (TooLarge("m"), (413, "INVALID_ARGUMENT"), (413, "request_too_large"),
         (413, "invalid_request_error")),
        (Busy("m"), (429, "RESOURCE_EXHAUSTED"), (529, "overloaded_error"),
         (429, "rate_limit_error")),
        (ProxyError("m", status=429), (429, "RESOURCE_EXHAUSTED"), (429, "rate_limit_error"),
         (429, "rate_limit_error")),
        (ProxyError("m", status=431), (431, "INVALID_ARGUMENT"), (431, "invalid_request_error"),
         (431, "invalid_request_error")),
        (ProxyError("m", status=499), (499, "CANCELLED"), (499, "invalid_request_error"),
         (499, "invalid_request_error")),
        (ProxyError("m"), (500, "INTERNAL"), (500, "api_error"), (500, "server_error")),
        (ProxyError("m", status=501), (501, "UNIMPLEMENTED"), (400, "invalid_request_error"),
         (501, "server_error")),
        (ConnectFailed("m"), (502, "UNAVAILABLE"), (529, "overloaded_error"),
         (502, "server_error")),
        (StreamBroken("m; wait"), (502, "UNAVAILABLE"), (500, "api_error"),
         (502, "server_error")),
        (NoNode("m"), (503, "UNAVAILABLE"), (529, "overloaded_error"), (503, "server_error")),
        (UpstreamTimeout("m"), (504, "DEADLINE_EXCEEDED"), (504, "timeout_error"),
         (504, "server_error")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ProxyError) else None,
)  # fmt: skip
def test_status_and_type(
    error: ProxyError, google: tuple[int, str], claude: tuple[int, str], gpt: tuple[int, str]
) -> None:
    reply = error_reply(G, error, "req-1")
    shown = json.loads(reply.body)["error"]
    assert (reply.status, shown["status"]) == google
    assert shown["code"] == reply.status
    assert shown["message"] == error.message

    reply = error_reply(A, error, "req-1")
    body = json.loads(reply.body)
    assert (reply.status, body["error"]["type"]) == claude
    assert body == {
        "type": "error",
        "error": {"type": claude[1], "message": error.message},
        "request_id": "req-1",
    }

    reply = error_reply(OAI, error, "req-1")
    shown = json.loads(reply.body)["error"]
    assert (reply.status, shown["type"]) == gpt
    assert shown.keys() == {"message", "type", "param", "code"}


ALL_AT_ONCE = Unsupported(
    "unsupported_gemini_feature: two things",
    violations=(Violation("contents[0].parts[1].videoMetadata", "no"), Violation("b", "c")),
    retry_after=1.2,
)


def test_gemini_details() -> None:
    shown = json.loads(gemini.error_body(ALL_AT_ONCE))["error"]
    assert shown["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "UNSUPPORTED_GEMINI_FEATURE",
            "domain": "casedesk-proxy",
        },
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                {"field": "contents[0].parts[1].videoMetadata", "description": "no"},
                {"field": "b", "description": "c"},
            ],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"},
    ]


def test_openai_param_and_code() -> None:
    shown = json.loads(openai.error_body(ALL_AT_ONCE))["error"]
    assert shown["param"] == "contents[0].parts[1].videoMetadata"
    assert shown["code"] == "unsupported_gemini_feature"
    shown = json.loads(openai.error_body(Unauthenticated("m")))["error"]
    assert (shown["param"], shown["code"]) == (None, "invalid_api_key")


def headers(surface: Dialect, error: ProxyError) -> dict[bytes, bytes]:
    found = error_reply(surface, error, "req-1").headers
    assert len({name for name, _ in found}) == len(found)
    return dict(found)


def test_headers() -> None:
    wrong = BadRequest("m", status=405)
    wrong.allow = "GET"
    for surface in Dialect:
        assert headers(surface, NotFound("m"))[b"content-type"].startswith(b"application/json")
        assert headers(surface, Busy("m", retry_after=2.1))[b"retry-after"] == b"3"
        assert b"retry-after" not in headers(surface, Busy("m"))
        assert headers(surface, wrong)[b"allow"] == b"GET"
        denied = headers(surface, Unauthenticated("m"))
        assert denied[b"www-authenticate"] == b"Bearer"
        assert denied[b"x-should-retry"] == b"false"
        for harmless in (Busy("m"), NoNode("m"), ConnectFailed("m")):
            assert b"x-should-retry" not in headers(surface, harmless)
        for costly in (StreamBroken("m"), UpstreamTimeout("m"), KeyRefused("m")):
            assert headers(surface, costly)[b"x-should-retry"] == b"false"
        assert b"x-request-id" not in denied, "the server's to add, as to every reply"
    assert headers(A, NotFound("m"))[b"request-id"] == b"req-1"
    assert b"request-id" not in headers(G, NotFound("m"))
    assert headers(OAI, ProxyError("m", status=501))[b"x-should-retry"] == b"false"


def test_gemini_frame() -> None:
    frame = gemini.error_frame(StreamBroken("broke; wait"))
    assert frame.startswith(b'data: {"error":{"code":502,')
    assert frame.endswith(b"}\r\n\r\n")
    assert frame.count(b"\n") == 2
    element = gemini.error_element(StreamBroken("broke; wait"))
    assert frame == b"data: " + element + b"\r\n\r\n"


def test_anthropic_frame() -> None:
    event, data, *rest = anthropic.error_frame(StreamBroken("m; wait"), "req-1").split(b"\n")
    assert (event, rest) == (b"event: error", [b"", b""])
    assert json.loads(data.removeprefix(b"data: ")) == {
        "type": "error",
        "error": {"type": "api_error", "message": "the node m; wait"},
        "request_id": "req-1",
    }
    assert b'"overloaded_error"' in anthropic.error_frame(Busy("m"))
    assert b"request_id" not in anthropic.error_frame(StreamBroken("m; wait"))


def test_anthropics_clients_are_told_to_go_on_without_a_thread() -> None:
    places = (Violation("tools.0", "a"), Violation("thread", "b"))
    error = json.loads(anthropic.error_body(Unsupported("m", violations=places)))["error"]
    assert error["details"]["error_code"] == "thread_unsupported_request"
    assert b"details" not in anthropic.error_body(Unsupported("m", violations=places[:1]))
    assert b"details" not in anthropic.error_body(BadRequest("m", violations=places))


def test_openai_frame() -> None:
    frame = openai.error_frame(StreamBroken("m; wait"))
    assert frame.startswith(b'data: {"error":{')
    assert frame.endswith(b"}}\n\n")
    assert frame.count(b"\n") == 2


texts = st.text(st.characters(codec=None), max_size=20)
errors = st.builds(
    ProxyError,
    texts,
    status=st.sampled_from([400, 401, 404, 418, 429, 500, 501, 503, 599]),
    code=st.text(max_size=80),
    retry_after=st.none() | st.floats(),
    violations=st.lists(
        st.builds(Violation, st.text(max_size=5), st.text(max_size=5)), max_size=2
    ).map(tuple),
)


@given(errors, st.sampled_from(Dialect), st.from_regex(r"[!-~]{1,20}", fullmatch=True))
def test_any_error_makes_a_whole_reply(error: ProxyError, surface: Dialect, ident: str) -> None:
    reply = error_reply(surface, error, ident)
    shown = json.loads(reply.body)["error"]
    assert 400 <= reply.status < 600
    if surface is Dialect.OLLAMA:
        shown = {"message": shown}
    assert shown["message"] == error.message.encode("utf-8", "replace").decode()
    for _, value in reply.headers:
        assert b"\r" not in value
        assert b"\n" not in value
    if surface is G:
        assert shown["code"] == reply.status
        assert len(shown["details"][0]["reason"]) <= 63
    for make in (gemini.error_frame, anthropic.error_frame, openai.error_frame):
        text = make(error).decode()
        assert len(text.splitlines()) == text.count("\n"), "a line that some client would split"


def test_a_document_of_ours() -> None:
    reply = json_reply(Dialect.GEMINI, b"{}", ((b"x-goog-upload-status", b"final"),))
    assert (reply.status, reply.body) == (200, b"{}")
    assert dict(reply.headers)[b"content-type"].startswith(b"application/json")
    assert reply.headers[-1] == (b"x-goog-upload-status", b"final")


def test_a_base_url_names_all_of_them() -> None:
    """The list is the same for every client, even if its deployment does not exist."""
    reply = base_reply(Call(G, Action.BASE, "désk"))
    assert reply.status == 200
    assert reply.body.decode().count("/proxy/désk/") == 4
    assert "/proxy/" not in base_reply(Call(G, Action.BASE, None)).body.decode()


MODELS = (ModelInfo("a", 8192), ModelInfo("b:9b"))


@table(
    ("call", "keys"),
    [
        (Call(G, Action.LIST_MODELS, None, version="v1"), {"models"}),
        (Call(G, Action.LIST_MODELS, "d", query="pageSize=1"), {"models", "nextPageToken"}),
        (Call(A, Action.LIST_MODELS, "d"), {"data", "has_more", "first_id", "last_id"}),
        (Call(OAI, Action.LIST_MODELS, "d"), {"object", "data"}),
        (Call(OAI, Action.LIST_MODELS, None), {"object", "data", "models"}),
    ],
)
def test_list_reply(call: Call, keys: set[str]) -> None:
    reply = list_reply(call, MODELS)
    assert reply.keys() == keys
    if call.deployment is None:
        assert [one["name"] for one in reply["models"]] == ["models/a", "models/b:9b"]


def test_model_reply() -> None:
    assert model_reply(G, MODELS[1])["name"] == "models/b:9b"
    assert model_reply(A, MODELS[1])["id"] == "b:9b"
    assert model_reply(OAI, MODELS[1])["object"] == "model"


def reached(limit: Limit) -> LimitReached:
    standing = Standing(limit, "key", "alice", 10, None, 12, 100.0)
    return LimitReached("used up", standing, at=40.0, retry_after=60.0)


@table(
    ("limit", "kind", "code", "repeated"),
    [
        (Limit.TOKENS_PER_MINUTE, "tokens", "rate_limit_exceeded", True),
        (Limit.REQUESTS_PER_MINUTE, "requests", "rate_limit_exceeded", True),
        (Limit.TOKENS_PER_DAY, "insufficient_quota", "insufficient_quota", False),
    ],
)
def test_a_limit_in_openais_words(limit: Limit, kind: str, code: str, repeated: bool) -> None:
    reply = error_reply(OAI, reached(limit), "r")
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["type"], error["code"]) == (429, kind, code)
    headers = dict(reply.headers)
    assert headers[b"retry-after"] == b"60"
    assert (headers.get(b"x-should-retry") == b"false") is not repeated
    what = b"requests" if limit is Limit.REQUESTS_PER_MINUTE else b"tokens"
    assert headers[b"x-ratelimit-remaining-" + what] == b"0"


def test_a_limit_in_googles_words() -> None:
    reply = error_reply(G, reached(Limit.TOKENS_PER_DAY), "r")
    details = {
        one["@type"].rpartition(".")[2]: one for one in json.loads(reply.body)["error"]["details"]
    }
    (violation,) = details["QuotaFailure"]["violations"]
    assert (violation["subject"], violation["quotaValue"]) == ("key:alice", "10")
    assert violation["description"] == "used up"
    assert details["RetryInfo"]["retryDelay"] == "60s"


def test_a_limit_in_anthropics_words() -> None:
    reply = error_reply(A, reached(Limit.TOKENS_PER_MINUTE), "r")
    assert json.loads(reply.body)["error"]["type"] == "rate_limit_error"
    assert dict(reply.headers)[b"anthropic-ratelimit-tokens-remaining"] == b"0"
