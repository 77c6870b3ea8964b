from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.engines.tgi import read_models


@pytest.mark.parametrize(
    ("info", "lengths"),
    [
        ({"max_input_tokens": 100, "max_total_tokens": 150}, (100, 50)),
        ({"max_input_length": 100, "max_total_tokens": 150}, (100, 50)),
        ({"max_total_tokens": 150}, (150, None)),
        ({"max_input_tokens": 100, "max_total_tokens": 100}, (100, None)),
        ({}, (None, None)),
    ],
)
def test_tgi_s_limits(info: dict[str, Any], lengths: tuple[int | None, int | None]) -> None:
    (model,) = read_models({"model_id": "m", **info})
    assert (model.context_length, model.output_limit) == lengths
