"""The credential in a query: found, cut out, hidden in logs, and nothing else changed."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.query import (
    cut_key,
    find_key,
    is_number,
    read_number,
    read_pairs,
    scrub_target,
)
from tests.fixtures.table import table


@table(
    ("query", "key", "rest"),
    [
        ("", None, ""),
        ("key=abc", "abc", ""),
        ("alt=sse&key=abc", "abc", "alt=sse"),
        ("key=abc&alt=sse", "abc", "alt=sse"),
        ("a=1&key=x&b=2&a=1", "x", "a=1&b=2&a=1"),
        ("key=x&key=y", "x", ""),
        ("key=&key=y", "y", ""),
        ("a&key=x&&b=", "x", "a&&b="),
        ("key=a%2Bb+c%20d", "a+b+c d", ""),
        ("k%65y=abc", "abc", ""),
        ("%6b%65%79=abc&x=%zz", "abc", "x=%zz"),
        ("key", None, "key"),
        ("Key=x", None, "Key=x"),
        ("monkey=x", None, "monkey=x"),
        ("keys=x", None, "keys=x"),
        ("a=key=x", None, "a=key=x"),
        ("%24alt=json%3Benum-encoding%3Dint", None, "%24alt=json%3Benum-encoding%3Dint"),
        ("key=%FF", "\udcff", ""),
        ("key==x", "=x", ""),
    ],
)
def test_key(query: str, key: str | None, rest: str) -> None:
    assert find_key(query) == key
    assert cut_key(query) == rest


@table(
    ("target", "logged"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/models?key=abc", "/v1/models?key=***"),
        ("/v1/models?a=1&key=abc&b=2&key=d", "/v1/models?a=1&key=***&b=2&key=***"),
        ("/v1/models?k%65y=abc", "/v1/models?k%65y=***"),
        ("/v1/models?KEY=abc", "/v1/models?KEY=***"),
        ("/v1/models?api_key=abc&access_token=d", "/v1/models?api_key=***&access_token=***"),
        ("/upload/v1/files?upload_id=u1", "/upload/v1/files?upload_id=***"),
        ("/v1/models?pageToken=abc&alt=sse", "/v1/models?pageToken=***&alt=sse"),
        ("/v1/models?pageSize=1&alt=sse;key=abc", "/v1/models?pageSize=1&alt=sse;key=***"),
        ("/v1/models?;key=abc;alt=sse", "/v1/models?;key=***"),
        ("/v1/models;key=abc", "/v1/models;key=***"),
        ("/v1/models#key=abc", "/v1/models#key=***"),
        ("/v1/models?$key=abc&b=1", "/v1/models?$key=***&b=1"),
        ("/v1/models?key[]=abc&key%5B%5D=d", "/v1/models?key[]=***&key%5B%5D=***"),
        ("/v1/models?%256b%2565y=abc", "/v1/models?%256b%2565y=***"),
        ("/v1/models?%25256bey=abc", "/v1/models?%25256bey=***"),
        ("/v1/models?a=1%26key%3Dabc&b=2", "/v1/models?a=1%26key%3D***&b=2"),
        ("/v1/models%3Fkey=abc", "/v1/models%3Fkey=***"),
        ("/v1/models?key%3Dabc", "/v1/models?key%3D***"),
        ("/v1/models?key%253Dabc%2526def", "/v1/models?key%253D***"),
        (
            "/x?ACCESS_TOKEN=a&X-Goog-Api-Key=b&Authorization=c&client_secret=d&password=e&SIG=f",
            "/x?ACCESS_TOKEN=***&X-Goog-Api-Key=***&Authorization=***&client_secret=***&password=***"
            "&SIG=***",
        ),
        (
            "/x?bearer=a&passwd=b&X-Amz-Signature=c&X-Amz-Credential=d&jwt=e&session_id=f",
            "/x?bearer=***&passwd=***&X-Amz-Signature=***&X-Amz-Credential=***&jwt=***&session_id=***",
        ),
        ("http://user:pw@h/x?a=1", "http://***@h/x?a=1"),
        ("HTTPS://user:p@w@h:80?a=1", "HTTPS://***@h:80?a=1"),
        ("http://pw@h", "http://***@h"),
        ("user:pw@h:443", "***@h:443"),
        ("/x?u=http://user:pw@h/&v=a@b", "/x?u=http://***@h/&v=a@b"),
        ("/x?u=http%3A%2F%2Fuser%3Apw%40h%2Fa%40b", "/x?u=http%3A%2F%2F***@h%2Fa%40b"),
        ("/x@y/a:b@c", "/x@y/a:b@c"),
        (
            "/v1beta/models/gemma2:9b:generateContent?alt=sse&$alt=json;enum-encoding=int",
            "/v1beta/models/gemma2:9b:generateContent?alt=sse&$alt=json;enum-encoding=int",
        ),
        ("/v1/models?key", "/v1/models?key"),
        ("/v1/models?key=a=b?c", "/v1/models?key=***"),
        ("/v1/models?a=1?key=abc", "/v1/models?a=1?key=***"),
        ("http://h/x?key=abc", "http://h/x?key=***"),
    ],
)
def test_scrub(target: str, logged: str) -> None:
    assert scrub_target(target) == logged


def test_pairs() -> None:
    assert read_pairs("a=1&b=x+y%20z&&c&=d&%24alt=s%3Bt") == [
        ("a", "1"), ("b", "x y z"), ("c", ""), ("", "d"), ("$alt", "s;t"),
    ]  # fmt: skip


queries = st.text("keyKEY%6b5=&+a?;/#", max_size=30)


@given(queries)
def test_nothing_is_left_of_the_key(query: str) -> None:
    rest = cut_key(query)
    assert find_key(rest) is None
    assert cut_key(rest) == rest
    left = iter(query.split("&"))
    assert rest == "" or all(pair in left for pair in rest.split("&"))


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), queries, queries)
def test_a_key_is_found_decoded_and_never_logged(key: str, before: str, after: str) -> None:
    encoded = quote(key, safe="")
    query = f"{cut_key(before)}&key={encoded}&{after}"
    assert find_key(query) == key
    secret = f"{encoded}SECRET"
    target = f"/x?{before}&key={secret}&{after}"
    assert secret not in scrub_target(target)


_WORDS = ("key", "token", "auth", "secret", "password", "sig", "bearer")


@given(
    st.sampled_from(_WORDS), st.text("abc_-$.[]", max_size=4), st.text("abc_-$.[]", max_size=4),
    st.sampled_from("?&;#/"), st.integers(0, 3), st.randoms(use_true_random=False),
)  # fmt: skip
def test_no_spelling_of_a_secret_s_name_shows_it(  # type: ignore[no-untyped-def]
    word: str, before: str, after: str, separator: str, times: int, random
) -> None:
    name = "".join(random.choice((letter.lower(), letter.upper())) for letter in word)
    name = before + name + after
    for _ in range(times):
        name = "".join(f"%{ord(c):02x}" if random.random() < 0.3 or c == "%" else c for c in name)
    logged = scrub_target(f"/v1/models?a=1{separator}{name}=hidden%26hidden&b=2")
    assert "hidden" not in logged
    assert logged.endswith("=***&b=2")


@table(
    "piece", ["?", "&a", ";", "%25", "%2525", "=", "key=", "://", "@", "a", "%3d", "://a@", "/a@"]
)
def test_long_targets_take_no_longer_than_their_length(piece: str) -> None:
    """A pattern with backtracking would take minutes for these."""
    for target in ("/" + piece * 200_000, piece * 200_000):
        assert len(scrub_target(target)) < 10_000


@table(
    ("target", "shown"),
    [
        ("/v1/models?pass=hush", "/v1/models?pass=***"),
        ("/v1/models?a=1&user_pass=hush", "/v1/models?a=1&user_pass=***"),
        ("//me:hush@localhost/v1/models", "//***@localhost/v1/models"),
        ("//v1//models/a@b", "//v1//models/a@b"),
    ],
)
def test_short_words_for_a_password_and_targets_without_a_scheme(target: str, shown: str) -> None:
    assert scrub_target(target) == shown


@table(
    ("text", "number"),
    [
        *[("7", 7), ("0", 0), ("000", 0), ("007", 7), ("100", 100), ("000000000100", 100)],
        *[("101", None), ("000000100999", None), ("9" * 5000, None), ("0" * 5000 + "9", 9)],
        *[("", None), ("-1", None), ("1.0", None), ("٣", None), (" 7", None), ("²", None)],
    ],
)
def test_a_number_is_what_is_written_however_it_begins(text: str, number: int | None) -> None:
    assert read_number(text, 0, 100) == number


def test_a_number_below_the_least_is_none() -> None:
    assert read_number("0", 1, 100) is None
    assert is_number("0")
    assert not is_number("")
