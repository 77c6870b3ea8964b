"""A test passes what it changes as an argument: no constant is patched."""

from __future__ import annotations

import re
from pathlib import Path

from tests.fixtures.sources import TESTS, find_modules

#: ``setattr(module, "NAME", …)``, ``setattr("package.module.NAME", …)`` and mock's `patch` alike.
_PATCHED = re.compile(
    r'(?:setattr|patch|patch\.object)\(\s*(?:[\w.]+\s*,\s*)?"(?:[\w.]+\.)?(_?[A-Z][A-Z0-9_]+)"'
)

#: A command's table, which it makes of all its sizes. The set only becomes smaller.
STILL = {"bench/test_scale.py: SIZES"}


def find_patched(text: str) -> list[str]:
    return _PATCHED.findall(text)


def test_no_constant_is_patched() -> None:
    found = {
        f"{path.relative_to(TESTS)}: {name}"
        for path in find_modules()
        if path != Path(__file__)
        for name in find_patched(path.read_text(encoding="utf-8"))
    }
    assert found == STILL, "make it an argument; see `server.waits` for a gateway's"


def test_each_way_to_patch_one_is_found() -> None:
    assert find_patched('monkeypatch.setattr(module, "_LIMIT_S", 0.1)') == ["_LIMIT_S"]
    assert find_patched('monkeypatch.setattr("a.b.LIMIT", 1)') == ["LIMIT"]
    assert find_patched('mock.patch.object(\n    module, "LIMIT", 1\n)') == ["LIMIT"]
    assert find_patched('mock.patch("a.b.LIMIT", 1)') == ["LIMIT"]
    assert find_patched('monkeypatch.setattr(Path, "open", refuse)') == []
