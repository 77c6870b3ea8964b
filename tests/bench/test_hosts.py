"""The measurement of hosts that share a database measures: a small run."""

from __future__ import annotations

import asyncio

import pytest

from bench.hosts import run


@pytest.mark.timeout(120)
def test_each_host_learns_what_the_other_has_used() -> None:
    found = asyncio.run(run(requests=2))
    assert len(found) == 4
    assert min(found) > 0
