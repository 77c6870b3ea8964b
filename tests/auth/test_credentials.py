"""Which of the credentials in a request is used."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.auth.credentials import find_credential, has_several
from casedesk_proxy.terms import RawHeaders
from tests.fixtures.table import table

BEARER = (b"Authorization", b"Bearer bearer")
GOOGLE = (b"x-goog-api-key", b"google")
ANTHROPIC = (b"X-Api-Key", b"anthropic")


@table("order", list(permutations([BEARER, GOOGLE, ANTHROPIC])))
def test_precedence_whatever_the_order(order: tuple[tuple[bytes, bytes], ...]) -> None:
    sent = order
    for winner in ("bearer", "google", "anthropic"):
        assert find_credential(sent, "key=query") == winner
        sent = tuple(line for line in sent if winner.encode() not in line[1])
    assert find_credential(sent, "a=1&key=query") == "query"
    assert find_credential(sent, "a=1") is None


@table(
    ("headers", "winner"),
    [
        ([(b"authorization", b"bearer  tok ")], "tok"),
        ([(b"AUTHORIZATION", b"BEARER\ttok")], "tok"),
        ([(b"authorization", b"Basic dXNlcjpwYXNz")], None),
        ([(b"authorization", b"Basic dXNlcg=="), (b"x-api-key", b"k")], "k"),
        ([(b"authorization", b"Basic dXNlcg=="), (b"authorization", b"Bearer t")], "t"),
        ([(b"authorization", b"tok")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"authorization", b"Bearer "), (b"x-goog-api-key", b"k")], "k"),
        ([(b"authorization", b"Bearer"), (b"authorization", b"Bearer two")], "two"),
        ([(b"authorization", b"Bearer one"), (b"authorization", b"Bearer two")], "one"),
        ([(b"authorization", b"Bearertok")], None),
        ([(b"x-goog-api-key", b"one"), (b"X-Goog-Api-Key", b"two")], "one"),
        ([(b"x-goog-api-key", b" "), (b"X-Goog-Api-Key", b"two")], "two"),
        ([(b"x-api-key", b""), (b"x-api-key", b"k")], "k"),
        ([(b"x-goog-api-key", b"")], None),
        ([(b"x-api-key", b"\xff")], "\udcff"),
        ([(b"x-api-key", b"\xc3\xa4")], "ä"),
        ([(b"Sec-WebSocket-Protocol", b"realtime, openai-insecure-api-key.k")], "k"),
        ([(b"sec-websocket-protocol", b"realtime,openai-beta.realtime-v1")], None),
        ([(b"sec-websocket-protocol", b"openai-insecure-api-key.a"), (b"x-api-key", b"k")], "k"),
        ([(b"cookie", b"k"), (b"proxy-authorization", b"Bearer x")], None),
    ],
)
def test_headers(headers: list[tuple[bytes, bytes]], winner: str | None) -> None:
    assert find_credential(tuple(headers), "") == winner


def test_query_is_decoded() -> None:
    assert find_credential((), "x=1&key=a%2Fb") == "a/b"


@table(
    ("headers", "query", "several"),
    [
        ((), "", False),
        ((BEARER,), "", False),
        ((BEARER, GOOGLE), "", True),
        ((GOOGLE, (b"x-goog-api-key", b"another")), "", True),
        ((GOOGLE, GOOGLE), "key=google", False),
        ((GOOGLE,), "key=another", True),
        ((GOOGLE, (b"authorization", b"Basic dXNlcg=="), (b"x-api-key", b"")), "a=1", False),
    ],
)
def test_several(headers: RawHeaders, query: str, several: bool) -> None:
    """The same key twice, as some SDKs send it, is one."""
    assert has_several(headers, query) is several


names = st.sampled_from([b"Authorization", b"x-goog-api-key", b"x-api-key", b"accept", b""])
values = st.one_of(st.binary(max_size=10), st.binary(max_size=8).map(lambda raw: b"Bearer " + raw))
lines = st.lists(st.tuples(names, values), max_size=6).map(tuple)


@given(lines, st.text("key=&%6b", max_size=20))
def test_anything_gives_text_or_nothing(headers: RawHeaders, query: str) -> None:
    found = find_credential(headers, query)
    assert found is None or found != ""
