"""The content of the sdist, and that two builds of it are equal."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from packages.build_dist import level
from tests.cli.command import ENVIRONMENT
from tests.systemd.machine import ROOT

pytestmark = pytest.mark.timeout(240)  # The whole repository is compressed, three times.

#: Of the repository, not of a package.
LEFT_OUT = {".gitattributes", ".gitignore", ".ci/run"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone: what is committed meanwhile changes nothing here."""
    copy = tmp_path_factory.mktemp("sdist") / "tree"
    subprocess.run(["git", "clone", "--quiet", ROOT, copy], check=True)
    return copy


@pytest.fixture(scope="module")
def sdist(tree: Path) -> bytes:
    # What setuptools takes depends on these, committed or not.
    for name in ("setup.cfg", "pyproject.toml", "MANIFEST.in"):
        (tree / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--quiet", "--sdist", tree],
        check=True,
        capture_output=True,
        env=ENVIRONMENT,
    )
    (built,) = (tree / "dist").iterdir()
    return built.read_bytes()


def test_every_file_of_the_repository_is_in_it(sdist: bytes, tree: Path) -> None:
    command = ["git", "-C", str(tree), "ls-tree", "-r", "--name-only", "HEAD"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert set(listed.splitlines()) - packed == LEFT_OUT


def pack(members: list[tuple[str, float, int]]) -> bytes:
    """``members`` are names, times and modes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, mtime, mode in members:
            member = tarfile.TarInfo(name)
            member.mtime, member.mode, member.size = mtime, mode, len(name)
            member.uid, member.uname = 1000, "builder"
            archive.addfile(member, io.BytesIO(name.encode()))
    return packed.getvalue()


def test_builds_that_differ_in_time_owner_and_order_become_the_same() -> None:
    one = level(pack([("p/a", 1.5, 0o664), ("p/run", 2, 0o775)]), 1_700_000_000)
    two = level(pack([("p/run", 9, 0o755), ("p/a", 8.25, 0o600)]), 1_700_000_000)
    assert one == two
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        shown = [(m.name, m.mtime, m.uid, m.uname, oct(m.mode)) for m in archive.getmembers()]
        assert archive.extractfile("p/a").read() == b"p/a"  # type: ignore[union-attr]
    assert shown == [
        ("p/a", 1_700_000_000, 0, "root", "0o644"),
        ("p/run", 1_700_000_000, 0, "root", "0o755"),
    ]


def test_the_sdist_of_today_can_be_levelled(sdist: bytes, tmp_path: Path) -> None:
    again = level(level(sdist, 1), 1)
    assert again == level(sdist, 1)
    # Not by tarfile, whose filter Debian 12's Python 3.11.2 has not; without one others warn.
    subprocess.run(["tar", "-xzf", "-", "-C", tmp_path], input=again, check=True)
    (tree,) = tmp_path.iterdir()
    assert (tree / "Makefile").read_bytes() == (ROOT / "Makefile").read_bytes()
