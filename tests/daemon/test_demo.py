"""The demonstration answers on every surface, without a configuration, and ends when stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.cli.command import COMMAND, ENVIRONMENT
from tests.fixtures.patience import PATIENCE_S


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """It runs as its user's first program: with an empty home."""
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    process = subprocess.Popen(
        [*COMMAND, "demo", "--listen", "127.0.0.1:0", "--pace", "0"],
        cwd=tmp_path, env={**ENVIRONMENT, **home}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_the_invitation_s_lines_work(demo: subprocess.Popen[str]) -> None:
    assert demo.stdout is not None
    lines = []
    while not lines or not lines[-1].startswith("Point an SDK"):
        line = demo.stdout.readline()
        assert line, "it ended"
        lines.append(line)
    found = re.search(r"http://127\.0\.0\.1:\d+", lines[-1])
    assert found
    shown = "".join(lines)
    bodies = re.findall(r"-d '(\{.*\})'", shown)
    paths = re.findall(r"http://127\.0\.0\.1:\d+(/v1\S*?)'? ", shown)
    assert len(bodies) == len(paths) == 3
    version = {"anthropic-version": "2023-06-01"}
    for path, body in zip(paths, bodies, strict=True):
        request = Request(found[0] + path, body.encode(), version)
        with urlopen(request, timeout=PATIENCE_S) as reply:
            assert b"Hello" in reply.read(), path
    with urlopen(found[0] + "/v1/models", timeout=PATIENCE_S) as reply:
        assert {"sim", "gemma2:9b"} <= {one["id"] for one in json.load(reply)["data"]}
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(PATIENCE_S) == 0


def test_it_ends_with_its_terminal(demo: subprocess.Popen[str]) -> None:
    """Which sends SIGHUP; an impatient user then presses Ctrl-C more than once."""
    assert demo.stdout is not None
    assert demo.stdout.readline()
    demo.send_signal(signal.SIGHUP)
    while demo.poll() is None:
        demo.send_signal(signal.SIGINT)
        time.sleep(0.001)
    assert demo.returncode == 0
    assert demo.stderr is not None
    assert "Traceback" not in demo.stderr.read()
