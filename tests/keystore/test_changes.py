"""After any sequence of changes, keys give the access that a model predicts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from casedesk_proxy.keystore.changes import (
    Author,
    KeyFault,
    alter,
    expire,
    issue,
    note_use,
    revoke,
    rotate,
)
from casedesk_proxy.keystore.rows import read_audit, read_keys, read_version
from casedesk_proxy.keystore.table import make_table
from casedesk_proxy.store.file import FILE_NAME, open_writer
from casedesk_proxy.store.schema import migrate
from tests.fixtures.effort import examples
from tests.keystore.keys import BY, NOON, digest, made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / FILE_NAME)
    yield connection
    connection.close()


def test_a_key_s_whole_life_is_in_the_audit_table(file: sqlite3.Connection) -> None:
    issue(file, made("alice", admin=True), BY)
    expire(file, "alice", NOON + 9, BY)
    expire(file, "alice", None, BY)
    rotate(file, "alice", digest("new"), 60.0, BY)
    revoke(file, "alice", BY)
    told = [(one.action, one.name, one.actor, one.at, one.detail) for one in read_audit(file, 9)]
    assert told == [
        ("revoke", "alice", "somebody", NOON, ""),
        ("rotate", "alice", "somebody", NOON, "the old one is valid for 60 s more"),
        ("expire", "alice", "somebody", NOON, "never"),
        ("expire", "alice", "somebody", NOON, "2026-11-29 12:00 UTC"),
        ("new", "alice", "somebody", NOON, "deployments d; admin"),
    ]
    assert read_version(file) == 5
    assert all(key.ended == NOON for key in read_keys(file))


def test_what_cannot_be(file: sqlite3.Connection) -> None:
    issue(file, made("alice"), BY)
    for change, field, status in (
        (lambda: issue(file, made("alice", "x"), BY), "name", 409),
        (lambda: issue(file, made("bob", "alice"), BY), "sha256", 409),
        (lambda: rotate(file, "alice", digest("alice"), 0.0, BY), "sha256", 409),
        (lambda: revoke(file, "bob", BY), "name", 404),
        (lambda: expire(file, "bob", None, BY), "name", 404),
        (lambda: alter(file, "bob", lambda old: old, BY), "name", 404),
        (lambda: rotate(file, "bob", digest("b"), 0.0, BY), "name", 404),
    ):
        with pytest.raises(KeyFault) as caught:
            attempt(file, change)
        assert (caught.value.field, caught.value.status) == (field, status)
    with pytest.raises(KeyFault, match="there are already 1 keys; revoke some first"):
        issue(file, made("bob"), BY, most=1)


def test_a_key_that_has_expired_is_not_replaced_by_another_that_has(
    file: sqlite3.Connection,
) -> None:
    issue(file, replace(made("alice"), expires=NOON), BY)
    with pytest.raises(KeyFault, match="alice has expired, and so would the new one") as raised:
        rotate(file, "alice", digest("new"), 60.0, BY)
    assert (raised.value.field, raised.value.status) == ("name", 409)
    assert [one.sha256 for one in read_keys(file)] == [made("alice").sha256]


def test_what_is_altered_is_noted_with_what_it_was(file: sqlite3.Connection) -> None:
    issue(file, made("alice", limits='{"parallel":1,"tokens_per_day":{"hard":9}}'), BY)
    rotate(file, "alice", digest("new"), 60.0, BY)
    limits = '{"parallel":2,"tokens_per_month":null}'
    changes = {"limits": limits, "note": "n", "deployments": ("d", "e"), "admin": True}
    altered = alter(file, "alice", lambda old: replace(old, **changes, expires=NOON + 9), BY)
    assert (altered.limits, altered.created) == (limits, NOON)
    replaced, current = read_keys(file)
    for one in (replaced, current):
        assert {name: getattr(one, name) for name in changes} == changes
    # What was replaced keeps its own end.
    assert (replaced.expires, current.expires) == (NOON + 60, NOON + 9)
    (note, *_) = read_audit(file, 9)
    assert (note.action, note.detail) == (
        "set",
        "deployments d, e (before: d); note n (before: none); admin yes (before: no);"
        " expires 2026-11-29 12:00 UTC (before: never); parallel 2 (before: 1);"
        ' tokens_per_day default (before: {"hard": 9}); tokens_per_month none (before: default)',
    )


def test_what_stays_as_it_was_leaves_no_line(file: sqlite3.Connection) -> None:
    issue(file, made("alice"), BY)
    assert alter(file, "alice", lambda old: old, BY).name == "alice"
    assert (len(read_audit(file, 9)), read_version(file)) == (1, 1)


def attempt(file: sqlite3.Connection, change: Callable[[], None]) -> None:
    """Change keys in a transaction, like all code that does so."""
    file.execute("BEGIN")
    try:
        change()
    finally:
        file.execute("ROLLBACK")


def test_a_name_is_free_again_once_its_key_is_revoked(file: sqlite3.Connection) -> None:
    issue(file, made("alice"), BY)
    revoke(file, "alice", BY)
    issue(file, made("alice", "other"), BY)
    assert [key.ended for key in read_keys(file)] == [None, NOON]


def test_last_use_is_the_latest_and_no_change(file: sqlite3.Connection) -> None:
    issue(file, made("alice"), BY)
    note_use(file, {"alice": NOON, "nobody": NOON})
    note_use(file, {"alice": NOON - 5})
    assert [key.used for key in read_keys(file)] == [NOON]
    assert read_version(file) == 1


class Keys(RuleBasedStateMachine):
    """The model: by secret, the name and the time at which the key expires."""

    def __init__(self) -> None:
        super().__init__()
        self.file = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.file)
        self.now, self.secrets = 0.0, 0
        self.until: dict[str, tuple[str, float]] = {}
        #: The secret that is not being replaced, of names that were not revoked.
        self.current: dict[str, str] = {}
        self.opens: dict[str, tuple[str, ...]] = {}

    def author(self) -> Author:
        return Author("model", self.now)

    def secret(self) -> str:
        self.secrets += 1
        return f"s{self.secrets}"

    def tries(self, name: str) -> bool:
        """Whether a change of this key must succeed; a change of an unknown key must not."""
        return name in self.current

    @rule(name=st.sampled_from("abc"), life=st.sampled_from([None, 2.0]))
    def make(self, name: str, life: float | None) -> None:
        secret = self.secret()
        expires = None if life is None else self.now + life
        key = replace(made(name, secret), expires=expires)
        try:
            issue(self.file, key, self.author())
            assert not self.tries(name)
        except KeyFault:
            assert self.tries(name)
            return
        self.current[name], self.opens[name] = secret, ("d",)
        self.until[secret] = name, float("inf") if expires is None else expires

    @rule(name=st.sampled_from("abc"))
    def revoke(self, name: str) -> None:
        try:
            revoke(self.file, name, self.author())
            assert self.tries(name)
        except KeyFault:
            assert not self.tries(name)
            return
        del self.current[name]
        self.until = {one: end for one, end in self.until.items() if end[0] != name}

    @rule(name=st.sampled_from("abc"), life=st.sampled_from([None, 0.0, 1.0, 3.0]))
    def expire(self, name: str, life: float | None) -> None:
        when = None if life is None else self.now + life
        try:
            expire(self.file, name, when, self.author())
            assert self.tries(name)
        except KeyFault:
            assert not self.tries(name)
            return
        self.until[self.current[name]] = name, float("inf") if when is None else when

    @rule(name=st.sampled_from("abc"), opened=st.sampled_from([(), ("d",), ("d", "e")]))
    def alter(self, name: str, opened: tuple[str, ...]) -> None:
        try:
            alter(self.file, name, lambda old: replace(old, deployments=opened), self.author())
            assert self.tries(name)
        except KeyFault:
            assert not self.tries(name)
            return
        self.opens[name] = opened

    @rule(name=st.sampled_from("abc"), grace=st.sampled_from([0.0, 1.0, 2.0]))
    def rotate(self, name: str, grace: float) -> None:
        secret = self.secret()
        lasts = self.tries(name) and self.until[self.current[name]][1] > self.now
        try:
            rotate(self.file, name, digest(secret), grace, self.author())
            assert lasts
        except KeyFault:
            assert not lasts
            return
        old = self.current[name]
        end = self.until[old][1]
        self.until[secret] = name, end
        self.until[old] = name, min(end, self.now + grace)
        self.current[name] = secret

    @rule(span=st.sampled_from([0.5, 1.0, 2.0]))
    def wait(self, span: float) -> None:
        self.now += span

    @invariant()
    def the_table_is_as_the_model_says(self) -> None:
        table = make_table(read_keys(self.file), self.now)
        for number in range(1, self.secrets + 1):
            secret = f"s{number}"
            name, end = self.until.get(secret, ("", 0.0))
            found = table.match(secret)
            assert (found.name if found else None) == (name if self.now < end else None)
            assert found is None or found.deployments == frozenset(self.opens[name])
            assert bool(table.explain(secret)) is (found is None and self.was_issued(secret))

    def was_issued(self, secret: str) -> bool:
        query = "SELECT count(*) FROM keys WHERE sha256 = ?"
        return bool(self.file.execute(query, (digest(secret),)).fetchone()[0])

    def teardown(self) -> None:
        self.file.close()


TestKeys = Keys.TestCase
TestKeys.settings = settings(examples(60), stateful_step_count=30)
