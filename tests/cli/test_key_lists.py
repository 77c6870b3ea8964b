from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from casedesk_proxy.keystore.changes import Author, revoke
from casedesk_proxy.store.file import FILE_NAME
from tests.cli.command import invoke
from tests.keystore.keys import NOON, changing, digest, enter, made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / FILE_NAME
    enter(
        path,
        made("alice", deployments=("d", "e"), note="[bold]hers", created=NOON, used=NOON + 60),
        made("bob", expires=1e9, admin=True, created=NOON),
        made("carol", created=NOON),
    )
    with changing(path) as connection:
        revoke(connection, "carol", Author("me", time.time()))
    return tmp_path


def test_a_table_of_keys(state: Path) -> None:
    head, alice, bob = invoke("key", "list", "--state", state).stdout.splitlines()
    assert head.split()[5:] == ["used", "expires", "limits", "note"]
    assert alice.split()[:4] == ["alice", "d,", "e", "valid"]
    assert alice.split()[6:] == ["2026-11-29", "12:01", "-", "-", "[bold]hers"]
    assert bob.split()[:4] == ["bob", "d,", "(admin)", "expired"]
    everything = invoke("key", "list", "--all", "--state", state).stdout
    assert everything.splitlines()[-1].split()[:3] == ["carol", "d", "revoked"]


def test_limits_as_they_are_given(tmp_path: Path) -> None:
    limits = {
        "parallel": 2, "tokens_per_month": None, "models": ["m", "n*"],
        "tokens_per_day": {"hard": 9, "soft": None}, "requests_per_minute": {"hard": 7, "soft": 5},
        "tokens_per_minute": {"hard": None, "soft": 5}, "parameters": {"cap": {"max_tokens": 1}},
    }  # fmt: skip
    for name, value in limits.items():
        enter(tmp_path / FILE_NAME, made(name, limits=json.dumps({name: value})))
    _, *lines = invoke("key", "list", "--state", tmp_path).stdout.splitlines()
    assert sorted(line.split()[-1] for line in lines) == [
        "models=m,n*", "parallel=2", "parameters=…", "requests_per_minute=soft:5,hard:7",
        "tokens_per_day=9", "tokens_per_minute=soft:5", "tokens_per_month=none",
    ]  # fmt: skip


def test_for_programs_without_hashes(state: Path) -> None:
    shown = invoke("key", "list", "--format", "json", "--state", state).stdout
    alice, bob = json.loads(shown)
    assert (alice["name"], alice["deployments"], alice["limits"]) == ("alice", ["d", "e"], {})
    assert (bob["expires"], bob["admin"]) == (1e9, True)
    assert digest("alice") not in shown


def test_who_did_what(state: Path) -> None:
    head, last, *_ = invoke("key", "audit", "--state", state).stdout.splitlines()
    assert head.split() == ["when", "(UTC)", "who", "action", "key", "details"]
    assert last.split()[2:] == ["me", "revoke", "carol"]
    shown = invoke("key", "audit", "--most", "1", "--format", "json", "--state", state).stdout
    assert [one["action"] for one in json.loads(shown)] == ["revoke"]


def test_no_keys_and_no_file(tmp_path: Path) -> None:
    missing = invoke("key", "list", "--state", tmp_path)
    assert (missing.returncode, "does not exist" in missing.stderr) == (2, True)
    with changing(tmp_path / FILE_NAME):
        pass
    assert "key new" in invoke("key", "list", "--state", tmp_path).stdout
