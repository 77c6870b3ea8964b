"""Valid urls of nodes, and the remedy for invalid ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from casedesk_proxy.config.node_urls import NodeUrl, socket_path
from tests.fixtures.table import table


def check(kind: object, value: object) -> object:
    return TypeAdapter(kind).validate_python(value)


@table(
    ("written", "url"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://gemini.example/", "https://gemini.example"),
        ("http://[::1]:80/llm/a/", "http://[::1]:80/llm/a"),
        ("http://host/a%20b", "http://host/a%20b"),
    ],
)
def test_urls(written: str, url: str) -> None:
    assert check(NodeUrl, written) == url


@table(
    "written",
    [
        "127.0.0.1:80",
        "ftp://host",
        "http://",
        "http://:80",
        "http://host:0",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
        "http://user:pw@host",
        "http://host?key=x",
        "http://host/#a",
        "http://host/a/../b",
        "http://ho st",
        "http://host/\n",
        "http://höst",
        "",
    ],
)
def test_what_is_no_url(written: str) -> None:
    with pytest.raises(ValidationError):
        check(NodeUrl, written)


@table(
    ("written", "remedy"),
    [
        ("localhost:11434", "write http://localhost:11434"),
        ("[::1]:80/", "write http://[::1]:80/"),
        ("localhost:11434/secret", "write http://host:port"),
        ("http://::1:80", "put an IPv6 address in brackets: http://[::1]:80"),
        ("http://fe80::1:2:80/", "put an IPv6 address in brackets: http://[fe80::1:2]:80"),
        ("http://host:99999", "write http://host:port, the port a number up to 65535"),
        ("\u201chttp://host:1\u201d", "write its quotes as \" or '"),
        (" http://host:1", "remove the spaces"),
        ("http://host:1/a b", "percent-encode them"),
    ],
)
def test_what_would_be_a_url(written: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check(NodeUrl, written)
    assert caught.value.errors()[0]["ctx"]["remedy"] == remedy


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(max_size=30).map("http://".__add__))
def test_a_url_is_safe_for_a_request_line(written: str) -> None:
    try:
        url = check(NodeUrl, written)
    except ValidationError:
        return
    assert isinstance(url, str)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url


LONGEST = "/" + "s" * 106


@table(
    ("written", "path"),
    [
        ("http+unix:///run/llama.sock", "/run/llama.sock"),
        ("HTTP+UNIX:///Run/Llama", "/Run/Llama"),
        ("http+unix:///run/a%20b%3F", "/run/a b?"),
        (f"http+unix://{LONGEST}", LONGEST),
    ],
)
def test_sockets(written: str, path: str) -> None:
    url = check(NodeUrl, written)
    assert isinstance(url, str)
    assert socket_path(url) == path
    assert check(NodeUrl, url) == url


def test_other_urls_name_no_socket() -> None:
    assert socket_path("http://unix:80/run/llama.sock") is None


ABSOLUTE = (
    "needs the absolute path of a Unix socket",
    "write for example http+unix:///run/llama.sock",
)
NO_URL = "is not the URL of a Unix socket"
MENDED = "write http+unix:///run/a.sock"


@table(
    ("written", "message", "remedy"),
    [
        ("http+unix://run/a.sock", *ABSOLUTE),
        ("http+unix:a.sock", *ABSOLUTE),
        ("unix:a.sock", *ABSOLUTE),
        ("http+unix://", *ABSOLUTE),
        ("http+unix:/run/a.sock", NO_URL, MENDED),
        ("http+unix:////run/a.sock", NO_URL, MENDED),
        ("http+unix://%2Frun%2Fa.sock", NO_URL, MENDED),
        ("unix:/run/a.sock", NO_URL, MENDED),
        ("unix:///run/a.sock", NO_URL, MENDED),
        ("unix:/", NO_URL, "write for example http+unix:///run/llama.sock"),
        ("https+unix:///run/a.sock", "asks for TLS on a Unix socket", "write http+unix"),
        ("http+unix:///run/", "names a folder, not a Unix socket", "remove the / at the end"),
        ("http+unix:///run/a.sock/v1", "continues after the socket's path", MENDED),
        (f"http+unix://{LONGEST}s", "is too long for a Unix socket", "use at most 107 bytes"),
        (
            "http+unix:///run/a?b",
            "contains a query or a fragment",
            "percent-encode ? and # in a socket's path",
        ),
        (
            "http+unix:///run/%00",
            "contains characters that are not allowed in a path",
            "rename the socket",
        ),
        (
            "http+unix:///run/%FF",
            "contains characters that are not allowed in a path",
            "rename the socket",
        ),
    ],
)
def test_what_is_no_socket(written: str, message: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check(NodeUrl, written)
    context = caught.value.errors()[0]["ctx"]
    assert (context["message"], context["remedy"]) == (message, remedy)


@settings(deadline=None)
@given(st.text(max_size=120).map("http+unix:".__add__) | st.text(max_size=20).map("unix:".__add__))
def test_a_socket_can_be_connected_to(written: str) -> None:
    try:
        url = check(NodeUrl, written)
    except ValidationError:
        return
    assert isinstance(url, str)
    path = socket_path(url)
    assert path is not None
    assert path.startswith("/")
    assert len(path.encode()) <= 107
