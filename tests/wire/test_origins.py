"""The proxy's own URLs as clients wrote them."""

from __future__ import annotations

import pytest

from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.origins import find_origin

FORWARDED: RawHeaders = (
    (b"Host", b"inside:8080"), (b"X-Forwarded-Proto", b"https"),
    (b"X-Forwarded-Host", b"outside.example, other"),
)  # fmt: skip


def test_a_client_s_own_words_count_where_nobody_is_in_front() -> None:
    assert find_origin(FORWARDED, is_tls=False, is_trusted=False) == "http://inside:8080"
    assert (
        find_origin(((b"host", b"[::1]:80"),), is_tls=True, is_trusted=False) == "https://[::1]:80"
    )


def test_a_trusted_proxy_s_words_count() -> None:
    assert find_origin(FORWARDED, is_tls=False, is_trusted=True) == "https://outside.example"
    assert find_origin(((b"host", b"h"),), is_tls=False, is_trusted=True) == "http://h"


@pytest.mark.parametrize("host", [b"", b"a b", b"a/b", b"u@h", b"a\r\nx: y", b"a" * 300, b"h:"])
def test_what_is_no_host(host: bytes) -> None:
    assert find_origin(((b"host", host),), is_tls=False, is_trusted=False) == "http://localhost"
