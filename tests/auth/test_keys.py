"""The owner of a key, and the errors for unknown keys."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.auth.keys import Access, KeyTable, authorise, bare_deployment, find_access
from casedesk_proxy.errors import ClientFault, Forbidden, NotFound, ProxyError, Unauthenticated
from casedesk_proxy.terms import Principal
from tests.fixtures.table import table


def digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()


ALICE = Principal("alice", frozenset({"desk"}))
TABLE = KeyTable(
    [
        (digest("cdp-alice"), ALICE),
        (digest("cdp-bob").upper(), Principal("bob", frozenset({"desk", "lab"}))),
    ],
    [(digest("cdp-carol"), "the key was revoked on a Sunday")],
)


def admit(credential: str | None, deployment: str | None, auth: str | None) -> Principal:
    principal = TABLE.match(credential) if credential else None
    return authorise(principal, credential, deployment, find_access(auth, any_keys=True))


def test_match() -> None:
    assert TABLE.match("cdp-alice") == ALICE
    assert TABLE.match("cdp-bob") == Principal("bob", frozenset({"desk", "lab"}))
    assert len(TABLE) == 2


@table(
    "wrong", ["", "cdp-alic", "cdp-alice ", "CDP-ALICE", digest("cdp-alice"), "\udcff", "ä", "\0"]
)
def test_no_match(wrong: str) -> None:
    assert TABLE.match(wrong) is None
    assert KeyTable([]).match(wrong) is None


@given(st.binary(min_size=1, max_size=20).filter(lambda raw: raw == raw.strip()))
def test_keys_are_compared_as_bytes(raw: bytes) -> None:
    table = KeyTable([(sha256(raw).hexdigest(), ALICE)])
    credential = find_credential(((b"x-api-key", raw),), "")
    assert credential is not None
    assert table.match(credential) is not None
    assert table.match(credential + "x") is None


@table("bad", ["", "00", "zz" * 32, digest("x") + "00"])
def test_bad_digest(bad: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        KeyTable([(bad, ALICE)])


def test_the_first_of_equal_digests_counts() -> None:
    table = KeyTable([(digest("t"), ALICE), (digest("t"), Principal("b", frozenset({"y"})))])
    assert table.match("t") == ALICE


def test_a_table_tells_who_is_in_it_and_what_became_of_others() -> None:
    assert TABLE.names == {"alice", "bob"}
    assert [one.name for one in TABLE.principals] == ["alice", "bob"]
    assert TABLE.match("cdp-carol") is None
    assert (TABLE.has_ended, KeyTable().has_ended) == (True, False)
    assert TABLE.explain("cdp-carol") == "the key was revoked on a Sunday"
    assert TABLE.explain("cdp-alice") == TABLE.explain("cdp-dave") == ""


def test_who_has_an_old_key_is_told_of_its_end() -> None:
    with pytest.raises(Unauthenticated) as caught:
        authorise(None, "cdp-carol", "desk", Access.KEY, ended=TABLE.explain("cdp-carol"))
    assert caught.value.message.startswith("the key was revoked on a Sunday; ")


@table("credential", [None, "", "not-needed", "cdp-alice"])
def test_open_deployment_ignores_credentials(credential: str | None) -> None:
    assert admit(credential, "open", "none") == Principal("anonymous", None)


def test_admitted() -> None:
    assert admit("cdp-alice", "desk", "keys") == ALICE


@table(
    ("credential", "deployment", "error"),
    [
        (None, "desk", Unauthenticated),
        ("", "desk", Unauthenticated),
        ("not-needed", "desk", Unauthenticated),
        ("cdp-alice", "lab", Forbidden),
        ("cdp-alice", "nowhere", Forbidden),
        (None, "nowhere", Unauthenticated),
        ("wrong", "nowhere", Unauthenticated),
        (None, None, Unauthenticated),
        ("cdp-bob", None, NotFound),
        ("cdp-bob", "", NotFound),
    ],
)
def test_refused(credential: str | None, deployment: str | None, error: type[ProxyError]) -> None:
    with pytest.raises(error) as caught:
        admit(credential, deployment, "keys")
    assert not credential or credential not in caught.value.message


def test_no_keys_no_secret_about_names() -> None:
    with pytest.raises(NotFound) as caught:
        authorise(None, None, "nowhere", find_access(None, any_keys=False))
    assert caught.value.code == "deployment_not_found"


def test_a_foreign_and_a_missing_deployment_look_the_same() -> None:
    told = []
    for name, auth in (("lab", "keys"), ("nil", None)):
        with pytest.raises(Forbidden) as caught:
            admit("cdp-alice", name, auth)
        told.append(caught.value.message.replace(name, "?"))
    assert told[0] == told[1]


def test_who_has_a_key_learns_what_it_opens() -> None:
    bob = Principal("bob", frozenset({"lab", "desk"}))
    with pytest.raises(Forbidden) as denied:
        authorise(bob, "cdp-bob", "other", Access.KEY, open_to_all=("demo",))
    assert denied.value.message.endswith(
        "; this key may use desk, lab; deployments that need no key: demo"
    )
    with pytest.raises(NotFound) as missing:
        authorise(bob, "cdp-bob", None, Access.KEY)
    assert missing.value.message.endswith("; this key may use desk, lab")
    many = Principal("many", frozenset(f"d{number:02}" for number in range(20)))
    with pytest.raises(Forbidden, match=r"d07 and 12 more$"):
        authorise(many, "cdp-many", "other", Access.KEY)


def test_who_has_none_learns_nothing_about_names() -> None:
    with pytest.raises(Unauthenticated) as caught:
        authorise(None, None, "other", Access.KEY, open_to_all=("demo",))
    assert "demo" not in caught.value.message


def test_it_is_said_what_was_sent_instead() -> None:
    with pytest.raises(Unauthenticated) as caught:
        authorise(None, None, "desk", Access.KEY, sent="the header api-key was sent")
    assert caught.value.message.startswith("the header api-key was sent; a key is required; ")


def test_messages_help() -> None:
    for credential in (None, "wrong"):
        with pytest.raises(Unauthenticated) as caught:
            admit(credential, "desk", "keys")
        for form in ("Authorization: Bearer", "x-goog-api-key", "x-api-key", "?key="):
            assert form in caught.value.message
    with pytest.raises(Forbidden) as denied:
        admit("cdp-alice", "x" * 5000, "keys")
    assert len(denied.value.message) < 200


@table(
    ("principal", "default", "wanted"),
    [
        (ALICE, "lab", "desk"),
        (ALICE, None, "desk"),
        (Principal("bob", frozenset({"desk", "lab"})), "lab", "lab"),
        (Principal("bob", frozenset({"desk", "lab"})), None, None),
        (Principal("none", frozenset()), "lab", "lab"),
        (Principal("anonymous", None), "lab", "lab"),
        (None, "lab", "lab"),
        (None, None, None),
    ],
)
def test_bare_deployment(
    principal: Principal | None, default: str | None, wanted: str | None
) -> None:
    assert bare_deployment(principal, default) == wanted


def test_a_key_is_not_called_unknown_before_all_were_read() -> None:
    with pytest.raises(ClientFault) as found:
        authorise(None, "cdp-carol", "desk", Access.KEY, all_read=False)
    assert (found.value.status, found.value.code, found.value.retry_after) == (503, "no_state", 1.0)
    with pytest.raises(Unauthenticated):
        authorise(None, None, "desk", Access.KEY, all_read=False)
