"""Rules for every key, in all sections."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from casedesk_proxy.config.section import Section, setting


class Sample(Section):
    key: str = setting("What it is for.", "nothing", reload=False)
    hidden: str = setting("A secret.", "", shown=False)


def test_it_says_what_it_is_for_and_whether_a_reload_takes_it() -> None:
    field = Sample.model_fields["key"]
    assert (field.description, field.default) == ("What it is for.", "nothing")
    assert field.json_schema_extra == {"reload": False}
    assert Sample.model_fields["hidden"].json_schema_extra == {"reload": True}


def test_values_stay_as_they_are() -> None:
    with pytest.raises(ValidationError):
        Sample().key = "else"  # type: ignore[misc]


def test_unknown_keys_are_errors_that_show_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"keys": "mine-is-secret"})
    assert "mine-is-secret" not in str(caught.value)
    assert "mine" not in repr(Sample(hidden="mine"))
