"""The size of a prompt, in each form in which engines report it."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.counting import estimate_tokens, read_count
from casedesk_proxy.errors import StreamBroken
from tests.fixtures.table import table


@table(
    ("answer", "count"),
    [({"count": 7}, 7), ({"input_tokens": 7}, 7), ([1, 2, 3], 3),
     ({"tokenize_response": [1, 2]}, 2), ({"count": None, "input_tokens": 9}, 9)],
)  # fmt: skip
def test_each_engine_s_number_is_found(answer: Any, count: int) -> None:
    assert read_count(answer) == count


@table("answer", [{}, {"count": "many"}, {"tokenize_response": {}}, "7", None])
def test_what_reports_no_number_is_broken(answer: Any) -> None:
    with pytest.raises(StreamBroken, match="did not report the number of tokens"):
        read_count(answer)


def test_an_estimate_is_never_nothing() -> None:
    assert (estimate_tokens(b""), estimate_tokens(b"x" * 40)) == (1, 10)
