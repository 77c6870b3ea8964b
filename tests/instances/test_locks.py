"""Locks on positions of a file: each belongs to one open file, and ends with it."""

from __future__ import annotations

import os
from pathlib import Path

from casedesk_proxy.instances.locks import is_locked_elsewhere, try_lock, unlock


def test_a_place_is_one_openings_until_that_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    one, two = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    try:
        assert try_lock(one, 3)
        assert not try_lock(two, 3)
        assert try_lock(two, 4)
        assert is_locked_elsewhere(two, 3)
        assert not is_locked_elsewhere(two, 4)
        unlock(two, 4)
        assert not is_locked_elsewhere(one, 4)
    finally:
        os.close(one)
    assert try_lock(two, 3)
    os.close(two)
