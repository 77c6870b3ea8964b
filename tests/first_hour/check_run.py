"""A fresh clone, as in README: ``make check-run``, as root, reports how long ``make run`` took."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bench.engine.process import free_port
from tests.cli.command import ENVIRONMENT
from tests.first_hour.network import own_network, running
from tests.first_hour.typed import find_block
from tests.fixtures.patience import PATIENCE_S
from tests.systemd.machine import ROOT

pytestmark = pytest.mark.timeout(600)

_NOISE = re.compile(r"WARNING|Collecting|Successfully installed|notice")
_ENVIRONMENT = {key: value for key, value in ENVIRONMENT.items() if key != "PYTHONPATH"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone") / "casedesk-proxy"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


def test_its_lines_come_and_can_be_pasted(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = find_block("README.md", "make run").strip()
    began = time.monotonic()
    process = subprocess.Popen(
        ["sh", "-c", f"exec {command} LISTEN=127.0.0.1:{free_port()}"],
        cwd=clone, env=_ENVIRONMENT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    with process, process.stdout:
        try:
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            seconds = time.monotonic() - began
            curl = re.search(r"curl -N (?:[^\n]*\\\n)*[^\n]*", said)
            assert curl, said
            streamed = subprocess.check_output(["sh", "-c", curl[0]], text=True)
        finally:
            os.killpg(process.pid, signal.SIGINT)
    assert '"candidates"' in streamed
    assert _NOISE.findall(said) == []
    with capfd.disabled():
        print(f"\nthe lines came after {seconds:.1f} s; load {os.getloadavg()[0]:.1f}")


def test_own_models(clone: Path) -> None:
    """README's two lines run on a machine on which only an engine listens, on its usual port."""
    init, serve = find_block("README.md", "casedesk-proxy serve").strip().splitlines()
    with own_network() as enter, running(enter, "ollama", "11434"):
        enter = [*enter, "env", "-C", str(clone)]
        told = subprocess.check_output([*enter, "sh", "-c", init], env=_ENVIRONMENT, text=True)
        key = re.search(r"cdp-[\w-]+", told)
        assert key, told
        daemon = subprocess.Popen(
            [*enter, "sh", "-c", f"exec {serve}"],
            env=_ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert daemon.stderr is not None
        with daemon, daemon.stderr:
            try:
                for line in daemon.stderr:
                    if "serving on http://127.0.0.1:8080" in line:
                        break
                curl = find_block("README.md", "streamGenerateContent").strip()
                asked = [*enter, "sh", "-c", f"{curl} -s -H 'x-goog-api-key: {key[0]}'"]
                streamed = subprocess.check_output(asked, text=True, timeout=PATIENCE_S)
            finally:
                daemon.terminate()
    assert "tiny test model" in streamed
    assert daemon.returncode == 0
