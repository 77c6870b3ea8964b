"""A secret is stored in one place, and no message repeats it."""

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
    [
        ({}, "does not say where the key is"),
        ({"env": "A", "file": "/b"}, "names more than one source: env, file"),
    ],
)
def test_no_place_and_two(value: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Secret.model_validate(value)
