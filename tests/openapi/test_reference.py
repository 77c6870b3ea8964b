"""docs/compatibility.md describes the current code."""

from __future__ import annotations

from pathlib import Path

from casedesk_proxy.openapi.field_tables import FIELDS
from casedesk_proxy.openapi.reference import write_reference

FILE = Path(__file__).parents[2] / "docs/compatibility.md"


def test_the_reference_is_true() -> None:
    assert FILE.read_text() == write_reference(), "run `make compatibility`"


def test_every_field_of_every_api_is_in_it() -> None:
    text = write_reference()
    chapters = text.split("### Fields\n")[1:]
    for messages, chapter in zip(FIELDS.values(), chapters, strict=True):
        for message, fields in messages.items():
            section = chapter.partition(f"#### {message}\n")[2].partition("####")[0]
            assert [name for name in fields if f"| `{name}` |" not in section] == []
