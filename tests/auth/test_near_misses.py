"""A credential that was probably meant as a key is explained and never repeated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.auth.near_misses import describe_sent, describe_wrong
from tests.fixtures.table import table


@table(
    ("name", "value", "told"),
    [
        (b"Authorization", b"Basic dXNlcjpwYXNz", "with the scheme Basic"),
        (b"authorization", b"TOKEN s3cret", "with the scheme Token"),
        (b"authorization", b"s3cret", "without the word Bearer"),
        (b"authorization", b"s3 cret", "without the word Bearer"),
        (b"authorization", b"Basic", "without the word Bearer"),
        (b"authorization", b"Bearer", "sent without a key"),
        (b"authorization", b"bearer  ", "sent without a key"),
        (b"authorization", b"Bearers3cret", "without a space"),
        (b"authorization", b"", "sent empty"),
        (b"api-key", b"s3cret", "header api-key was sent"),
        (b"X-Auth-Token", b"s3cret", "header x-auth-token was sent"),
        (b"Proxy-Authorization", b"Bearer s3cret", "header proxy-authorization was sent"),
        (b"x-api-key", b" ", "x-api-key was sent empty"),
        (b"X-Goog-Api-Key", b"", "x-goog-api-key was sent empty"),
    ],
)
def test_headers(name: bytes, value: bytes, told: str) -> None:
    said = describe_sent(((b"accept", b"*/*"), (name, value)), "")
    assert told in said
    assert "cret" not in said
    assert find_credential(((name, value),), "") is None


@table(
    ("query", "told"),
    [
        ("key=", "?key= was sent empty"),
        ("alt=sse&api_key=s3cret", "query parameter api_key was sent"),
        ("Access_Token=s3cret", "query parameter access_token was sent"),
        ("alt=sse", ""),
    ],
)
def test_queries(query: str, told: str) -> None:
    said = describe_sent((), query)
    assert told in said
    assert bool(told) is bool(said)
    assert "s3cret" not in said


def test_authorization_is_told_before_others() -> None:
    both = ((b"api-key", b"x"), (b"authorization", b"Basic eDp5"))
    assert "Basic" in describe_sent(both, "key=")


@table(
    ("credential", "told"),
    [
        ("Bearer cdp-x", "twice"),
        ('"cdp-x"', "quotes"),
        ("ab" * 32, "SHA-256"),
        ("$CASEDESK_KEY", "placeholder"),
        ("${KEY}", "placeholder"),
        ("<your key>", "placeholder"),
        ("YOUR_API_KEY", "placeholder"),
        ("undefined", "placeholder"),
        ("cdp-x", ""),
        ("not-needed", ""),
        ("", ""),
    ],
)
def test_wrong_keys(credential: str, told: str) -> None:
    said = describe_wrong(credential)
    assert told in said
    assert bool(told) is bool(said)


@given(st.text("ZQX019", min_size=3, max_size=20))
def test_nothing_is_repeated(secret: str) -> None:
    for value in (secret, f"x {secret}", f"{secret} x", f"Basic {secret}", f"Bearer{secret}"):
        assert secret not in describe_sent(((b"authorization", value.encode()),), "")
    assert secret not in describe_wrong(secret)
