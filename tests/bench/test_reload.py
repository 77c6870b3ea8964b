"""reload.py: it reloads while streams run, and reports the rounds of the loop."""

from __future__ import annotations

from bench.reload import measure


async def test_rounds_at_rest_and_while_it_reloads() -> None:
    found = await measure(2, 1, 2, changed=True, rest_s=0.1)
    assert list(found) == ["at rest", "reloading"]
    assert all(told["rounds"] > 0 for told in found.values())
