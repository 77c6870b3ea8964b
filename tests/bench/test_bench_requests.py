"""Default bodies, keys and paths by protocol."""

from __future__ import annotations

import json

import pytest

from bench.requests import UnusableUrl, make_request
from tests.fixtures.table import table


@table(
    ("url", "key", "header"),
    [
        ("http://h/v1/chat/completions", "messages", ("Authorization", "Bearer k")),
        ("http://h/v1/completions", "prompt", ("Authorization", "Bearer k")),
        ("http://h:81/proxy/d/anthropic/v1/messages", "max_tokens", ("x-api-key", "k")),
        ("http://h/v1beta/models/m:streamGenerateContent", "contents", ("x-goog-api-key", "k")),
    ],
)
def test_speaks_the_protocol_of_the_path(url: str, key: str, header: tuple[str, str]) -> None:
    request = make_request(url, key="k", model="m")
    assert key in json.loads(request.body)
    assert header in request.headers.items()


def test_asks_gemini_for_events_and_no_other() -> None:
    assert make_request("http://h/m:streamGenerateContent").path.endswith("?alt=sse")
    assert make_request("http://h/m:streamGenerateContent?a=b").path.endswith("?a=b&alt=sse")
    assert make_request("http://h/m:streamGenerateContent?alt=sse").path.count("alt=") == 1
    assert make_request("http://h/v1/messages?beta=true").path == "/v1/messages?beta=true"


def test_given_parts_win() -> None:
    request = make_request("127.0.0.1:81/x", body=b"{}", headers={"Content-Type": "text/x"})
    assert (request.host, request.port, request.path, request.body) == (
        "127.0.0.1",
        81,
        "/x",
        b"{}",
    )
    assert request.headers == {"Content-Type": "text/x"}


def test_a_bare_host_means_chat() -> None:
    assert make_request("http://127.0.0.1:81").path == "/v1/chat/completions"


@pytest.mark.parametrize("stream", [True, False])
def test_streams_unless_whole_replies_are_wanted(stream: bool) -> None:
    body = json.loads(make_request("http://h/v1/chat/completions", unary=not stream).body)
    assert body["stream"] is stream
    assert ("stream_options" in body) is stream


@table(
    ("url", "told"),
    [
        ("https://h/v1/messages", "https is not supported"),
        ("http:///v1", "want http://"),
        ("http://user:secret@h/", "without a user"),
        ("http://h:port/", "PORT"),
    ],
)
def test_refuses_what_it_cannot_load(url: str, told: str) -> None:
    with pytest.raises(UnusableUrl, match=told) as caught:
        make_request(url)
    assert "secret" not in str(caught.value)
