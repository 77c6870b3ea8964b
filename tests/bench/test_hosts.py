"""A small run of the measurement of hosts that share a database."""

from __future__ import annotations

import asyncio

import pytest

from bench.hosts import run


@pytest.mark.timeout(120)
@pytest.mark.parametrize("one_host", [False, True])
def test_each_host_learns_what_the_other_has_used(one_host: bool) -> None:
    found = asyncio.run(run(requests=1, one_host=one_host))
    assert len(found) == 2
    assert min(found) > 0
