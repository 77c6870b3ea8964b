"""`install-service` from an installed wheel, into a folder."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.cli.command import ENVIRONMENT
from tests.systemd.machine import ROOT

#: pip and its build take a minute where the machine has much else to do.
pytestmark = pytest.mark.timeout(240)

SOURCES = ("casedesk_proxy", "config", "systemd", "setup.cfg", "pyproject.toml", "README.md")
#: Without a tree that a developer has put before everything: pip would find the package there.
APART = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
UNITS = "/usr/local/lib/systemd/system"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that contains only the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    tree = tmp_path_factory.mktemp("tree")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    for command in (
        ["cp", "-R", *(ROOT / name for name in SOURCES), tree],
        [*pip, "wheel", "--no-deps", "--wheel-dir", tree, tree],
        [sys.executable, "-m", "venv", "--without-pip", folder],
    ):
        subprocess.run(command, check=True, env=APART)
    (wheel,) = tree.glob("*.whl")
    python = ["--python", folder / "bin/python"]
    subprocess.run([*pip, *python, "install", "--no-deps", wheel], check=True, env=APART)
    return folder


def install(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # Its dependencies are borrowed.
    borrowed = {**ENVIRONMENT, "PYTHONPATH": sysconfig.get_path("purelib")}
    return subprocess.run(
        [environment / "bin/casedesk-proxy", "install-service", *arguments],
        env=borrowed,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_units_start_the_program_that_is_there(environment: Path, tmp_path: Path) -> None:
    done = install(environment, "--root", tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("casedesk-proxy.service", "casedesk-proxy@.service"):
        unit = tmp_path.joinpath(UNITS[1:], name).read_text()
        assert f"ExecStart={environment}/bin/casedesk-proxy serve\n" in unit
    placed = {f"/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*") if path.is_file()}
    assert placed == {
        f"{UNITS}/casedesk-proxy.service", f"{UNITS}/casedesk-proxy@.service",
        f"{UNITS}/casedesk-proxy.socket", "/usr/local/bin/casedesk-proxy-upgrade",
        "/etc/casedesk-proxy/config.yaml", "/etc/casedesk-proxy/config.example.yaml",
        "/etc/casedesk-proxy/a.env", "/etc/casedesk-proxy/b.env",
    }  # fmt: skip


def test_remove_leaves_the_configuration_and_the_program(environment: Path, tmp_path: Path) -> None:
    install(environment, "--root", tmp_path)
    done = install(environment, "--root", tmp_path, "--remove")
    assert done.returncode == 0, done.stderr
    assert not any(tmp_path.joinpath(UNITS[1:]).iterdir())
    assert tmp_path.joinpath("etc/casedesk-proxy/config.yaml").exists()
    assert (environment / "bin/casedesk-proxy").exists()


def test_the_wheel_has_the_dashboard(environment: Path) -> None:
    assert (environment / "share/casedesk-proxy/config/grafana/dashboard.json").exists()


def test_a_package_without_its_files_says_so(environment: Path, tmp_path: Path) -> None:
    script = environment / "share/casedesk-proxy/systemd/install"
    script.rename(tmp_path / "install")
    try:
        done = install(environment, "--root", tmp_path)
    finally:
        (tmp_path / "install").rename(script)
    assert done.returncode == 2
    assert done.stderr.endswith("has no systemd/install: install the package anew\n")
