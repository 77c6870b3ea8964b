"""A request's target is split and checked before anything reads it."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.surfaces.request_target import cut_versions, decode, split_target
from casedesk_proxy.terms import RawHeaders
from tests.fixtures.table import table

NONE: RawHeaders = ()


@table(
    "path",
    [
        "/v1beta/models/../x:generateContent",
        "/v1beta/models/..:generateContent/..",
        "/v1beta/models/%2e%2e/x:generateContent",
        "/v1beta/models/%2E./x:generateContent",
        "/v1beta/models/x%2F..%2Fy:generateContent",
        "/v1beta/models/x%2f%2e%2e%2fy:generateContent",
        "/v1beta/models/x%5C..%5Cy:generateContent",
        "/v1beta/models/x\\..\\y:generateContent",
        "/v1beta/models/./x:generateContent",
        "/proxy/../gemini/v1beta/models/x:generateContent",
        "/proxy/%2e%2e/gemini/v1beta/models/x:generateContent",
        "/proxy/d/gemini/../../admin",
        "/..",
        "/v1beta/models/x%00:generateContent",
        "/v1beta/models/x%0d%0aHost:generateContent",
        "/v1beta/models/x%7F:generateContent",
        "/v1beta/models/x%C2%85:generateContent",
        "/v1beta/models/x\x00:generateContent",
        "/v1beta/models/x\n:generateContent",
        "/v1beta/models/x y:generateContent",
        "/v1beta/models/x#y:generateContent",
        "/v1beta/models/x:generateContent?a=\x01",
        "/v1beta/models/x:generateContent?a= b",
        "/v1beta/models/x%FF:generateContent",
        "/v1beta/models/x%C3:generateContent",
        "/v1beta/models/x%ED%A0%80:generateContent",
        "/v1beta/models/x\udcff:generateContent",
        "/v1beta/models/x:generateContent?a=\ud800",
        "/v1beta/models/x:generateContent?" + "a=1&" * 256,
        "/proxy/%ff/gemini/v1beta/models/x:generateContent",
        "v1beta/models/x:generateContent",
        "example:443",
        "*",
        "",
        "ftp://h/v1/models",
    ],
)
@table("method", ["GET", "POST", "OPTIONS"])
def test_hostile_path(path: str, method: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_call(method, path, NONE)
    assert (caught.value.status, caught.value.code) == (400, "invalid_path")


@table(
    ("target", "path", "query"),
    [
        ("/v1/models?a=b?c", "/v1/models", "a=b?c"),
        ("//v1///models/", "/v1/models", ""),
        ("/", "", ""),
        ("/v1/a%2Fb", "/v1/a%2Fb", ""),
        ("http://host:80/v1/models?x", "/v1/models", "x"),
        ("HTTPS://host", "", ""),
        ("/v1/...", "/v1/...", ""),
        ("/a?" + "b&" * 255, "/a", "b&" * 255),
    ],
)
def test_path_and_query(target: str, path: str, query: str) -> None:
    assert split_target(target) == (path, query)


@table(
    ("rest", "version", "resource"),
    [
        ("v1/models", "v1", "models"),
        ("v1beta/v1/models", "v1", "models"),
        ("v1alpha/models", "v1beta", "models"),
        ("models/v1", "", "models/v1"),
        ("v1", "v1", ""),
    ],
)
def test_the_version_nearest_the_resource_counts(rest: str, version: str, resource: str) -> None:
    assert cut_versions(rest) == (version, resource)


@table(("raw", "text"), [("plain", "plain"), ("a%20b%2Fc", "a b/c"), ("%25 41", "% 41")])
def test_text_is_decoded_once(raw: str, text: str) -> None:
    assert decode(raw) == text
