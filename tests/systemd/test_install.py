"""`make install` and `make uninstall` into a folder, with a simulated Python: where the files are,
and that no edited file is lost. The machine of test_units has a real installation."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.systemd.machine import ROOT

FAKE = """\
#!/bin/sh
# Makes folders as python -m venv does, with a pip and a python that do nothing.
case $* in
"-c import os"*) echo "${PRETENDED:-/usr}"; exit ;;
"-m venv "*) ;;
*) exit 1 ;;
esac
mkdir -p "$3/bin" "$3/lib"
printf '#!%s/bin/python\\n' "$3" >"$3/bin/casedesk-proxy"
echo "home = /usr/bin; command = $3" >"$3/pyvenv.cfg"
printf '#!/bin/sh\\ntrue\\n' >"$3/bin/pip"
cp "$3/bin/pip" "$3/bin/python"
chmod +x "$3"/bin/*
"""


class Target:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.python = folder / "python"
        self.python.write_text(FAKE)
        self.python.chmod(0o755)

    def make(self, goal: str, **settings: str) -> subprocess.CompletedProcess[str]:
        given = {"DESTDIR": str(self.root), "PYTHON": str(self.python), **settings}
        return subprocess.run(
            ["make", "--silent", goal, *(f"{name}={value}" for name, value in given.items())],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> set[str]:
        return {
            "/" + re.sub(r"/\d{14}", "/RELEASE", str(path.relative_to(self.root)))
            for path in self.root.rglob("*")
            if path.is_file() or path.is_symlink()
        }


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def test_what_goes_where(target: Target) -> None:
    done = target.make("install")
    assert done.returncode == 0, done.stderr
    library, units = "/usr/local/lib/casedesk-proxy", "/usr/local/lib/systemd/system"
    assert {one for one in target.files() if "/RELEASE/" not in one} == {
        "/usr/local/bin/casedesk-proxy", "/usr/local/bin/casedesk-proxy-upgrade",
        f"{library}/current", f"{units}/casedesk-proxy.socket",
        f"{units}/casedesk-proxy.service", f"{units}/casedesk-proxy@.service",
        "/etc/casedesk-proxy/config.yaml", "/etc/casedesk-proxy/config.example.yaml",
        "/etc/casedesk-proxy/a.env", "/etc/casedesk-proxy/b.env",
    }  # fmt: skip
    release = target.root / library[1:] / "current"
    assert re.fullmatch(r"\d{14}", os.readlink(release))
    # Nothing of the folder it was put into shows in what it will run.
    first_line = (release / "bin/casedesk-proxy").read_text().splitlines()[0]
    assert first_line == f"#!{library}/{os.readlink(release)}/bin/python"
    assert str(target.root) not in (release / "pyvenv.cfg").read_text()
    assert (target.root / "etc/casedesk-proxy/keys").stat().st_mode & 0o777 == 0o700


def test_a_program_that_the_service_cannot_see_is_refused(target: Target) -> None:
    done = target.make("install", PROGRAM="/root/venv/bin/casedesk-proxy")
    assert done.returncode != 0
    assert "the service cannot see /root/venv/bin/casedesk-proxy" in done.stderr
    assert target.files() == set()


def test_another_prefix_is_in_the_units(target: Target) -> None:
    assert target.make("install", PREFIX="/opt/desk").returncode == 0
    unit = (target.root / "etc/systemd/system/casedesk-proxy.service").read_text()
    assert "ExecStart=/opt/desk/bin/casedesk-proxy serve" in unit
    assert "/usr/local" not in unit


def test_edits_survive_and_old_releases_do_not_pile_up(target: Target) -> None:
    target.make("install")
    library = target.root / "usr/local/lib/casedesk-proxy"
    first = os.readlink(library / "current")
    for number in range(4):
        (library / f"2020010100000{number}").mkdir()
    for name in ("config.yaml", "a.env", "config.example.yaml"):
        (target.root / "etc/casedesk-proxy" / name).write_text("# mine\n")
    while target.make("install").returncode != 0 or os.readlink(library / "current") == first:
        pass
    for name, kept in (("config.yaml", True), ("a.env", True), ("config.example.yaml", False)):
        text = (target.root / "etc/casedesk-proxy" / name).read_text()
        assert (text == "# mine\n") is kept, name
    releases = sorted(path.name for path in library.iterdir() if path.name != "current")
    assert len(releases) == 3
    assert first in releases, "a process may still run it"


def test_uninstall_leaves_what_is_the_operator_s(target: Target) -> None:
    target.make("install")
    (target.root / "etc/casedesk-proxy/keys/studio").write_text("key")
    done = target.make("uninstall")
    assert done.returncode == 0, done.stderr
    assert target.files() == {
        "/etc/casedesk-proxy/config.yaml", "/etc/casedesk-proxy/keys/studio",
        "/etc/casedesk-proxy/a.env", "/etc/casedesk-proxy/b.env",
    }  # fmt: skip


def test_the_service_can_read_what_a_careful_root_installs(target: Target) -> None:
    before = os.umask(0o077)
    try:
        assert target.make("install").returncode == 0
    finally:
        os.umask(before)
    keys = target.root / "etc/casedesk-proxy/keys"
    closed = [
        path
        for path in target.root.rglob("*")
        if not path.is_symlink() and path != keys and path.stat().st_mode & 0o004 == 0
    ]
    assert closed == []
    assert keys.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("PREFIX", "/opt/my desk", "use letters, digits and"),
        ("PREFIX", "/opt/a|b", "use letters, digits and"),
        ("PREFIX", "/opt/50%", "use letters, digits and"),
        ("PREFIX", "opt", "use an absolute path"),
        ("DESTDIR", "/tmp/a b", "use letters, digits and"),
        ("DESTDIR", "made-here", "use an absolute path"),
        ("UNITDIR", "/etc/sys temd", "use letters, digits and"),
    ],
)
@pytest.mark.parametrize("goal", ["install", "uninstall"])
def test_paths_that_units_cannot_hold(
    target: Target, goal: str, setting: str, value: str, remedy: str
) -> None:
    done = target.make(goal, **{setting: value})
    assert done.returncode != 0
    assert f"{setting}='{value}': {remedy}" in done.stderr
    assert target.files() == set()
    assert not (ROOT / "made-here").exists()


@pytest.mark.parametrize("place", ["/root/.pyenv/versions/3.11", "/home/me/python"])
def test_a_python_that_the_service_cannot_see(target: Target, place: str) -> None:
    done = target.make("install", PRETENDED=place)
    assert done.returncode != 0
    assert "the service cannot see" in done.stderr
    assert target.files() == set()
