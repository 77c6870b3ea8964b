from __future__ import annotations

from casedesk_proxy.keystore.table import NO_CHANGE, make_table, next_expiry
from casedesk_proxy.terms import Principal
from tests.keystore.keys import NOON, made

KEYS = [
    made("alice", admin=True),
    made("bob", expires=NOON + 60),
    made("carol", "old", expires=NOON, replaced=True),
    made("dave", expires=NOON - 86400),
    made("erin", ended=NOON - 60),
]


def test_what_is_valid_opens_and_the_rest_is_explained() -> None:
    table = make_table(KEYS, NOON)
    assert table.match("alice") == Principal("alice", frozenset({"d"}), admin=True)
    assert table.names == {"alice", "bob"}
    assert [table.explain(secret) for secret in ("old", "dave", "erin")] == [
        "the key was replaced by a new one and expired on 2026-11-29 12:00 UTC",
        "the key expired on 2026-11-28 12:00 UTC",
        "the key was revoked on 2026-11-29 11:59 UTC",
    ]


def test_when_it_has_to_be_made_anew() -> None:
    assert next_expiry(KEYS, NOON) == NOON + 60
    assert next_expiry(KEYS, NOON + 60) == NO_CHANGE
