"""Moments as the APIs spell them."""

from __future__ import annotations

from casedesk_proxy.surfaces.timestamps import rfc3339, rfc3339_micros
from tests.fixtures.table import table


@table(
    ("seconds", "text"),
    [
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        (1_700_000_000.9, "2023-11-14T22:13:20Z"),
        (10**18, "1970-01-01T00:00:00Z"),
        (-(10**18), "1970-01-01T00:00:00Z"),
    ],
)
def test_a_moment_in_whole_seconds(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text


def test_a_moment_with_its_fraction() -> None:
    assert rfc3339_micros(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
