"""Names that a node in Go would confuse with others: refused if they have a meaning."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.field_names import refuse_other_case, refuse_other_names
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table


@table(
    ("surface", "name", "meant"),
    [
        (Dialect.OPENAI, "Model", "model"),
        (Dialect.OPENAI, "MAX_TOKENS", "max_tokens"),
        (Dialect.OPENAI, "max_to\u212aens", "max_tokens"),
        (Dialect.ANTHROPIC, "\u017ftream", "stream"),
        (Dialect.RESPONSES, "Previous_Response_Id", "previous_response_id"),
        (Dialect.OLLAMA, "Keep_alive", "keep_alive"),
        (Dialect.OLLAMA, "Name", "name"),
    ],
)
def test_a_name_in_another_case_is_refused(surface: Dialect, name: str, meant: str) -> None:
    for body in ({name: 1}, {meant: 1, name: 2}):
        with pytest.raises(BadRequest, match=f"write {meant}$") as caught:
            refuse_other_names(surface, body)
        assert [one.path for one in caught.value.violations] == [name]


@table(
    ("surface", "body"),
    [
        (Dialect.OPENAI, {}),
        (Dialect.OPENAI, {"model": "M", "7": 1}),
        (Dialect.OPENAI, {"model": "M", "X-Own": 1, "caf\u00e9": 2}),
        (Dialect.GEMINI, {"Contents": 1, "Model": 2}),
    ],
)
def test_other_names_are_not(surface: Dialect, body: dict[str, Any]) -> None:
    refuse_other_names(surface, body)


def test_of_an_object_inside_the_place_is_named() -> None:
    refuse_other_case({"effort": 1, "Summary": 2}, {"effort"}, "reasoning")
    with pytest.raises(BadRequest, match=r"write reasoning\.effort$") as caught:
        refuse_other_case({"Effort": 1}, {"effort"}, "reasoning")
    assert [one.path for one in caught.value.violations] == ["reasoning.Effort"]
