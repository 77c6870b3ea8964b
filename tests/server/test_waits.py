"""Each waiting time has a value, can be changed, and is used."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import casedesk_proxy
from casedesk_proxy.server.waits import WAITS, Waits

PACKAGE = Path(casedesk_proxy.__file__).parent


def test_each_is_some_time_and_may_be_another() -> None:
    for name, seconds in asdict(WAITS).items():
        assert seconds > 0
        assert Waits(**{name: seconds / 2}) != WAITS


def test_each_is_used() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (PACKAGE / "server").glob("*.py")]
    used = set(re.findall(r"waits\.(\w+_s)\b", "\n".join(sources)))
    assert used == set(asdict(WAITS))
