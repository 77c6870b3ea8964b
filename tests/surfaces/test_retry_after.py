"""How long a client is asked to wait."""

from __future__ import annotations

import math

from casedesk_proxy.surfaces.retry_after import whole_seconds
from tests.fixtures.table import table


@table(
    ("pause", "told"),
    [(0.0, 1), (-5.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (60.0, 60), (61.0, 60), (1e99, 60),
     (math.inf, 60), (-math.inf, 1), (math.nan, 60)],
)  # fmt: skip
def test_pause(pause: float, told: int) -> None:
    assert whole_seconds(pause) == told
