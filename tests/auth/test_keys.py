"""The owner of a key, and the errors for unknown keys."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.auth.keys import KeyTable, bare_deployment, find_access, find_user
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


def user(credential: str | None, deployment: str, auth: str | None) -> Principal | None:
    principal = TABLE.match(credential) if credential else None
    return find_user(principal, deployment, find_access(auth, any_keys=True))


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


@table("credential", [None, "", "not-needed", "cdp-alice"])
def test_open_deployment_ignores_credentials(credential: str | None) -> None:
    assert user(credential, "open", "none") == Principal("anonymous", None)


def test_a_key_opens_its_deployments() -> None:
    assert user("cdp-alice", "desk", "keys") == ALICE
    everywhere = Principal("root", None)
    assert find_user(everywhere, "lab", find_access("keys", any_keys=True)) == everywhere


@table(
    ("credential", "deployment", "auth"),
    [
        (None, "desk", "keys"),
        ("wrong", "desk", "keys"),
        ("cdp-alice", "lab", "keys"),
        ("cdp-alice", "nowhere", None),
        ("cdp-bob", "", None),
    ],
)
def test_others_find_nobody(credential: str | None, deployment: str, auth: str | None) -> None:
    assert user(credential, deployment, auth) is None


def test_without_keys_a_missing_deployment_is_nobody_s() -> None:
    assert find_user(None, "nowhere", find_access(None, any_keys=False)) is None


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
