"""A secret lies in one place, and no complaint repeats it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from casedesk_proxy.config.secret import Secret
from tests.fixtures.table import table


def test_one_place() -> None:
    assert Secret.model_validate({"env": "KEY"}).env == "KEY"
    assert Secret.model_validate("mine").inline == "mine"
    assert "mine" not in repr(Secret.model_validate("mine"))


@table(
    ("value", "words"),
    [({}, "names no place"), ({"env": "A", "file": "/b"}, "names 2 places: env, file")],
)
def test_no_place_and_two(value: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Secret.model_validate(value)
