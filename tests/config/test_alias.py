"""An alias as only a name and as a section."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from casedesk_proxy.config.alias import Alias, AliasOrName
from tests.fixtures.table import table

READER: TypeAdapter[Alias] = TypeAdapter(AliasOrName)


def test_a_name_alone() -> None:
    assert READER.validate_python("gemma2:9b") == Alias(model="gemma2:9b")


def test_a_section() -> None:
    alias = READER.validate_python({"model": "m", "set": {"seed": 1}, "openai": {"remove": ["n"]}})
    assert alias.rules() == {"set": {"seed": 1}}
    assert alias.rules("openai") == {"remove": ["n"]}
    assert alias.rules("gemini") == {}
    assert READER.validate_python(alias) == alias


@table("value", [None, 3, [], {"gemma2": "9b"}, "", " a"])
def test_neither(value: object) -> None:
    with pytest.raises(ValidationError):
        READER.validate_python(value)
