"""Held bodies: what is written is read, by pieces or whole, each with its own descriptor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from casedesk_proxy.planners.held_body import HeldBody

_KEPT = (
    "from casedesk_proxy.planners.held_body import HeldBody\nkept = HeldBody.create(bytes(2**21))"
)


def test_pieces() -> None:
    held = HeldBody.create(b"abc")
    held.write(b"")
    held.write(bytearray(b"defg"))
    assert (held.size, len(held)) == (7, 7)
    assert held.read(2, 3) == b"cde"
    assert held.read(5, 100) == b"fg"
    assert held.read(7, 1) == b""
    assert held.read_all() == b"abcdefg"
    assert "abc" not in repr(held)


@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_descriptor_is_closed(size: int) -> None:
    held = HeldBody.create(b"x" * size)
    other = HeldBody(os.dup(held.fileno()), size)
    held.close()
    held.close()
    assert other.read(size - 2, 10) == b"xx", "another process's is not touched"
    with pytest.raises(OSError, match="Bad file"):
        held.read(0, 1)


def test_a_process_ends_that_keeps_a_large_one_to_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", _KEPT], capture_output=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, b"")
