"""Whether the console is available, and to which clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.config.schema import Config
from casedesk_proxy.console.desk import Caller, Desk
from casedesk_proxy.errors import NotFound
from casedesk_proxy.terms import Principal
from tests.console.rooms import API, room


@pytest.mark.parametrize(
    ("enabled", "is_local", "admins", "users", "on_admin", "is_open"),
    [
        (None, True, 0, 0, False, True), (None, False, 0, 0, False, False),
        (None, False, 1, 0, False, True), (None, False, 0, 1, False, True),
        (None, False, 0, 0, True, True), (False, True, 1, 1, True, False),
        (True, False, 0, 0, False, True),
    ],
)  # fmt: skip
def test_it_is_open_where_nobody_else_comes_or_somebody_can_sign_in(
    enabled: bool | None, is_local: bool, admins: int, users: int, on_admin: bool, is_open: bool
) -> None:
    config = Config.model_validate(
        {"console": {"enabled": enabled}, "users": [{"name": "u"}] * users}
    )
    keys = KeyTable([("00" * 32, Principal("k", frozenset(), admin=bool(admins)))])
    served: Any = Mock()
    served.serving.snapshot.keys = keys
    served.serving.snapshot.stored_keys = KeyTable()
    place: Any = Mock(config=config, is_local=is_local)
    book: Any = Mock(users={})
    desk = Desk(served, lambda: place, book, Mock(), Mock(), on_admin=on_admin)
    if is_open:
        desk.require_open()
    else:
        with pytest.raises(NotFound, match=r"create a user|set it to true") as caught:
            desk.require_open()
        assert ("set it to true" in caught.value.message) is (enabled is False)


def test_who_sees_what() -> None:
    alice = Caller(Principal("alice", frozenset({"d"})), "key")
    root = Caller(Principal("root", frozenset(), admin=True), "key")
    assert (alice.may_see("alice"), alice.may_see("bob"), root.may_see("bob")) == (
        True, False, True,
    )  # fmt: skip
    assert Caller(Principal("x", frozenset()), "admin").sees_all


async def test_an_error_is_json_with_a_word_for_programs(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        code, said = await one.browser().ask("GET", f"{API}/status")
        assert (code, said["error"]["code"], said["error"]["field"]) == (
            401, "unauthenticated", "",
        )  # fmt: skip
