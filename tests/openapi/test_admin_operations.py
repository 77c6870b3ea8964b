"""The document about the admin listener's keys agrees with the configuration."""

from __future__ import annotations

from casedesk_proxy.config.schema import Key
from casedesk_proxy.dialects.core.known_fields import Fate
from casedesk_proxy.openapi.admin_operations import ADMIN_MESSAGES, ADMIN_OPERATIONS


def test_a_new_key_has_the_configurations_fields() -> None:
    fields = ADMIN_MESSAGES["NewKey"]
    assert fields.keys() == {*Key.model_fields, "expires"}
    assert [name for name, one in fields.items() if one.fate is Fate.REFUSED] == ["sha256"]


def test_every_message_is_somebodys() -> None:
    assert {one.body for one in ADMIN_OPERATIONS if one.body} == ADMIN_MESSAGES.keys()
