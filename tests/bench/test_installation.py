"""Debian packages are installed by one process at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.installation import Unavailable, find_debian, install_debian

#: Fails as the real one does: beside another, and for a package that nobody has.
APT = """\
#!/bin/sh
mkdir "$0.lock" || exit 100
sleep 0.02
rmdir "$0.lock"
case "$*" in *nobody-has*) echo "E: Unable to locate package" >&2; exit 100;; esac
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says whether services may start, beside an apt-get that installs nothing."""
    (tmp_path / "apt-get").write_text(APT)
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path / "policy"


def test_processes_take_turns(policy: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(install_debian, "x", policy=policy) for _ in range(8)]:
            done.result()
    assert not policy.exists()


def test_a_package_that_does_not_install_is_named(policy: Path) -> None:
    with pytest.raises(Unavailable, match="nobody-has does not install: E: Unable to locate"):
        install_debian("nobody-has", policy=policy)


def test_what_is_there_is_not_installed() -> None:
    assert Path(find_debian("sh", "nobody-has")).name == "sh"


def test_where_nothing_can_be_installed_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match=r"\(Debian: apt-get install a b\)"):
        find_debian("no-such", "a", "b")
