"""The words for the treatment of a field."""

from __future__ import annotations

from casedesk_proxy.dialects.core.known_fields import Fate, KnownField


def test_a_field_is_mapped_unless_its_table_says_otherwise() -> None:
    assert KnownField().fate is Fate.MAPPED
    assert {fate.value for fate in Fate} == {
        "mapped",
        "ignored",
        "left out",
        "refused",
        "passed on",
    }
