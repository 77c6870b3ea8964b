"""The document has the console's routes and no others, and the same operations on keys as the admin
listener."""

from __future__ import annotations

from casedesk_proxy.openapi.admin_operations import ADMIN_OPERATIONS, KEYS
from casedesk_proxy.openapi.console_operations import (
    CONSOLE_MESSAGES,
    CONSOLE_OPERATIONS,
    repeat_in_console,
)


def test_every_message_is_somebodys() -> None:
    assert {one.body for one in CONSOLE_OPERATIONS if one.body} == CONSOLE_MESSAGES.keys()


def test_keys_are_there_as_on_the_admin_listener() -> None:
    made = [repeat_in_console(one) for one in ADMIN_OPERATIONS if one.tag == KEYS]
    assert len(made) == 8
    assert made[0].path == "/console/api/keys"
    assert made[0].action == "console.keys.list"
