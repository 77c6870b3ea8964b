"""The console's section, and its users."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.console import Console, User, is_password_hash
from casedesk_proxy.config.load import load_config
from tests.fixtures.table import table

HASH = "scrypt:15:8:3:iAhOVkYZtoFnfII5h8SGrQ:Ocy73noxCunDjKRJHO98UN9oVW8LL07l9LlFDMIOVd8"


@table(
    ("text", "is_hash"),
    [(HASH, True), ("", False), ("hunter2", False), ("$2b$12$abc", False), (HASH + "!", False)],
)
def test_what_a_password_s_hash_looks_like(text: str, is_hash: bool) -> None:
    assert is_password_hash(text) is is_hash


@table("text", ["hunter2", "plain:text:pass"])
def test_a_password_itself_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        User(name="dora", password=text)
    assert "casedesk-proxy user hash" in str(caught.value.errors()[0]["ctx"])
    assert text not in str(caught.value)


def test_a_user_s_password_is_not_shown() -> None:
    assert HASH not in repr(User(name="dora", password=HASH))


@table(("name", "right"), [("Remote-User", True), ("a b", False), ("x:y", False), ("", False)])
def test_a_header_s_name(name: str, right: bool) -> None:
    try:
        found = Console(identity_header=name).identity_header
    except ValidationError:
        found = None
    assert found == (name.lower() if right else None)


FILE = """
nodes: {n: {url: "http://127.0.0.1:1"}}
deployments: {d: {nodes: [n], auth: none}}
users: [%s]
"""


@table(
    ("users", "where"),
    [
        ("{name: a}, {name: a}", "users[1].name"),
        ("{name: [a]}", "users[0].name"),
        ("{name: a, deployments: [none]}", "users[0].deployments[0]"),
        ("{name: a, deployments: [d], password: x}", "users[0].password"),
        ("{deployments: [d]}, a", "users[1]"),
    ],
)
def test_what_is_wrong_with_users_is_said(users: str, where: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(where)):
        load_config(FILE % users, "t")


def test_users_that_are_right() -> None:
    config = load_config(FILE % "{name: a, deployments: [d]}, {name: b}", "t")
    assert [one.name for one in config.config.users] == ["a", "b"]
