"""The wheel, installed by pipx for a new user: ``make check-pipx``, as root.

The page's commands are typed in a network with only a node on a usual port.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.first_hour.network import own_network, running
from tests.first_hour.typed import find_block
from tests.fixtures.patience import PATIENCE_S
from tests.systemd.machine import PYTHON, ROOT, install_packages

pytestmark = pytest.mark.timeout(600)

USER = "casedesk-check"


@dataclass
class Home:
    """A new user's home, and the network in which the user works."""

    folder: Path
    enter: list[str]

    def command(self, text: str, *, online: bool = False) -> list[str]:
        enter = [] if online else self.enter
        return [*enter, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--",
                "env", "-i", f"HOME={self.folder}", f"PATH={self.folder}/.local/bin:/usr/bin:/bin",
                *(f"{key}={value}" for key, value in os.environ.items() if key.startswith("PIP_")),
                "sh", "-ec", f"cd {self.folder}; {text}"]  # fmt: skip

    def type_in(self, text: str, *, online: bool = False) -> str:
        done = subprocess.run(
            self.command(text, online=online),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=500,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def home() -> Iterator[Home]:
    if shutil.which("pipx") is None:
        install_packages("pipx", "python3-venv")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="casedesk-home-") as place, own_network() as enter:
        Path(place).chmod(0o755)
        folder = Path(place, "home")
        subprocess.run(["useradd", "--create-home", "--home-dir", folder, USER], check=True)
        try:
            shutil.copy(wheel, folder)
            with running(enter, "ollama", "11434"):
                yield Home(folder, enter)
        finally:
            subprocess.run(["userdel", USER], check=True)


def test_the_first_hour(home: Home) -> None:
    told = home.type_in(f"pipx install --python {PYTHON} ./*.whl", online=True)
    assert "installed package casedesk-proxy" in told
    typed = find_block("docs/engines-quickstart.md", "casedesk-proxy doctor config.yaml")
    init, doctor, serve = typed.strip().splitlines()
    told = home.type_in(init)
    key = re.search(r"cdp-[\w-]+", told)
    assert key, told
    told = home.type_in(doctor)
    assert "127.0.0.1:11434" in told, told
    log = home.folder / "log"
    with log.open("w") as lines:
        daemon = subprocess.Popen(home.command(f"exec {serve}"), stderr=lines)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "serving on http://127.0.0.1:8080" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            assert daemon.poll() is None, log.read_text()
            time.sleep(0.1)
        curl = find_block("README.md", "streamGenerateContent").strip()
        streamed = home.type_in(f"{curl} -s -H 'x-goog-api-key: {key[0]}'")
        home.type_in("CASEDESK_PROXY_CONFIG=config.yaml casedesk-proxy status")
    finally:
        daemon.terminate()
        daemon.wait(PATIENCE_S)
    assert "tiny test model" in streamed
    assert daemon.returncode == 0
