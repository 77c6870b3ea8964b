"""When a cookie is valid: attempts by web pages, other hosts and cookies of other domains."""

from __future__ import annotations

import pytest

from casedesk_proxy.auth.sessions import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    comes_from_elsewhere,
    comes_from_own_page,
    find_session,
    find_signed_in,
)
from casedesk_proxy.terms import Principal, RawHeaders

ALICE = Principal("alice", frozenset({"desk"}))
IDENT = "s" * 43
HOST = "proxy.test:8080"


class OneSession:
    """A book with a single session: Alice's."""

    def __init__(self, *, secure: bool = False, empty: bool = False) -> None:
        self.secure = secure
        self._empty = empty

    def __bool__(self) -> bool:
        return not self._empty

    def find(self, ident: str) -> Principal | None:
        return ALICE if ident == IDENT else None


def headers(**fields: str | list[str]) -> RawHeaders:
    lines = {"host": HOST, "cookie": f"{PLAIN_COOKIE}={IDENT}", **fields}
    return tuple(
        (name.replace("_", "-").encode(), value.encode())
        for name, values in lines.items()
        for value in ([values] if isinstance(values, str) else values)
    )


OWN = f"http://{HOST}"
SAME = {"sec_fetch_site": "same-origin"}

#: What it is, the method, its headers, whether the session counts.
CASES: list[tuple[str, str, dict[str, str | list[str]], bool]] = [
    ("a page of ours reads", "GET", {**SAME}, True),
    ("a page of ours writes", "POST", {**SAME, "origin": OWN}, True),
    ("a page of ours deletes", "DELETE", {**SAME, "origin": OWN}, True),
    ("header names in capitals", "GET", {"Sec_Fetch_Site": "same-origin"}, True),
    ("an older browser writes", "POST", {"origin": OWN}, True),
    ("an older browser reads", "GET", {"referer": f"{OWN}/console/"}, True),
    (
        "a port that goes without saying",
        "POST",
        {"host": "proxy.test", "origin": "http://proxy.test:80"},
        True,
    ),
    (
        "behind a proxy with TLS",
        "POST",
        {"host": "proxy.test", "origin": "https://proxy.test"},
        True,
    ),
    ("a host in capitals", "POST", {"host": "PROXY.test:8080", "origin": OWN}, True),
    ("nothing is said on reading", "GET", {}, False),
    ("nothing is said on writing", "POST", {}, False),
    ("a program with a stolen cookie and no headers", "POST", {"user_agent": "curl"}, False),
    ("another site", "GET", {"sec_fetch_site": "cross-site"}, False),
    (
        "another site's form",
        "POST",
        {"sec_fetch_site": "cross-site", "origin": "https://evil.test"},
        False,
    ),
    ("another site's form in an older browser", "POST", {"origin": "https://evil.test"}, False),
    ("another site's image in an older browser", "GET", {"referer": "https://evil.test/"}, False),
    (
        "a link from another site",
        "GET",
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
        False,
    ),
    (
        "another host of the domain",
        "POST",
        {"sec_fetch_site": "same-site", "origin": "http://a.proxy.test"},
        False,
    ),
    (
        "another port of the host",
        "POST",
        {"sec_fetch_site": "same-site", "origin": "http://proxy.test:9"},
        False,
    ),
    ("another port, older browser", "POST", {"origin": "http://proxy.test:9"}, False),
    ("another port's referer", "GET", {"referer": "http://proxy.test:9/"}, False),
    ("an address that was typed", "GET", {"sec_fetch_site": "none"}, False),
    ("a sandboxed frame", "POST", {"origin": "null"}, False),
    ("a sandboxed frame that says same-origin", "POST", {**SAME, "origin": "null"}, False),
    ("an extension", "POST", {"origin": "chrome-extension://abc"}, False),
    ("a file", "POST", {"origin": "file://"}, False),
    ("a name that begins like ours", "POST", {"origin": "http://proxy.test:8080.evil.test"}, False),
    ("a name that ends like ours", "POST", {"origin": "http://evil-proxy.test:8080"}, False),
    ("ours as the user of another", "POST", {"origin": "http://proxy.test:8080@evil.test"}, False),
    (
        "ours in the path of a referer",
        "GET",
        {"referer": "http://evil.test/http://proxy.test:8080/"},
        False,
    ),
    ("a referer does for reading alone", "POST", {"referer": f"{OWN}/console/"}, False),
    ("two sites are said", "GET", {"sec_fetch_site": ["same-origin", "cross-site"]}, False),
    ("two sites in one line", "GET", {"sec_fetch_site": "same-origin, cross-site"}, False),
    ("two origins", "POST", {"origin": [OWN, "https://evil.test"]}, False),
    ("two origins in one line", "POST", {"origin": f"{OWN}, https://evil.test"}, False),
    ("two hosts", "POST", {"host": [HOST, "evil.test"], "origin": OWN}, False),
    (
        "a name that leads here, its own page",
        "GET",
        {"host": "evil.test", **SAME, "cookie": "a=b"},
        False,
    ),
    ("a name that leads here, our origin", "POST", {"host": "evil.test", "origin": OWN}, False),
    ("no cookie", "GET", {**SAME, "cookie": "theme=dark"}, False),
    ("a session that has ended", "GET", {**SAME, "cookie": f"{PLAIN_COOKIE}={'x' * 43}"}, False),
    (
        "a cookie tossed beside ours",
        "GET",
        {**SAME, "cookie": f"{PLAIN_COOKIE}={IDENT}; {PLAIN_COOKIE}={'e' * 43}"},
        False,
    ),
    (
        "a cookie tossed in another line",
        "GET",
        {**SAME, "cookie": [f"{PLAIN_COOKIE}={IDENT}", f"{PLAIN_COOKIE}={'e' * 43}"]},
        False,
    ),
    (
        "the same cookie twice",
        "GET",
        {**SAME, "cookie": f"{PLAIN_COOKIE}={IDENT}; {PLAIN_COOKIE}={IDENT}"},
        True,
    ),
    ("among others", "GET", {**SAME, "cookie": f"a=b;{PLAIN_COOKIE}={IDENT};c"}, True),
    ("its name in capitals", "GET", {**SAME, "cookie": f"{PLAIN_COOKIE.upper()}={IDENT}"}, False),
    (
        "quotes, which are no part of an id",
        "GET",
        {**SAME, "cookie": f'{PLAIN_COOKIE}="{IDENT}"'},
        False,
    ),
    ("an empty one", "GET", {**SAME, "cookie": f"{PLAIN_COOKIE}="}, False),
    ("no id at all", "GET", {**SAME, "cookie": f"{PLAIN_COOKIE}=' OR 1=1 --"}, False),
    ("the name for https over http", "GET", {**SAME, "cookie": f"{SECURE_COOKIE}={IDENT}"}, False),
]


@pytest.mark.parametrize(("what", "method", "fields", "counts"), CASES, ids=[c[0] for c in CASES])
def test_a_session_counts(
    what: str, method: str, fields: dict[str, str | list[str]], counts: bool
) -> None:
    found = find_signed_in(method, headers(**fields), OneSession())
    assert found == (ALICE if counts else None)


def test_the_list_is_long_enough() -> None:
    assert len(CASES) >= 40


def test_where_there_is_no_session_nothing_is_looked_at() -> None:
    assert find_signed_in("GET", headers(**SAME), OneSession(empty=True)) is None


@pytest.mark.parametrize(("name", "found"), [(SECURE_COOKIE, IDENT), (PLAIN_COOKIE, None)])
def test_over_https_only_the_cookie_counts_that_no_other_host_can_set(
    name: str, found: str | None
) -> None:
    assert find_session(headers(cookie=f"{name}={IDENT}"), secure=True) == found


@pytest.mark.parametrize(
    ("fields", "elsewhere"),
    [
        ({}, False), (SAME, False), ({"origin": OWN}, False),
        ({"sec_fetch_site": "cross-site"}, True), ({"sec_fetch_site": "none"}, True),
        ({"origin": "https://evil.test"}, True), ({"origin": "null"}, True),
        ({**SAME, "origin": "https://evil.test"}, True),
        ({"origin": OWN, "host": [HOST, HOST]}, True),
    ],
)  # fmt: skip
def test_what_a_browser_says_of_another_page(
    fields: dict[str, str | list[str]], elsewhere: bool
) -> None:
    assert comes_from_elsewhere(headers(**fields)) is elsewhere


def test_without_a_host_no_page_is_ours() -> None:
    assert not comes_from_own_page("GET", ((b"sec-fetch-site", b"same-origin"),))
