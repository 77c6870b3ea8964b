"""Anthropic's Claude Code through the proxy, as in docs/clients.md and README: ``make
check-claude-code``, as root. It installs Claude Code first (240 MB, so it is not part of ``make
check``). Nothing here leaves this machine: its network has only loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.desk import ANSWER, Desk, desk_here
from tests.first_hour.typed import find_block
from tests.systemd.machine import ROOT

pytestmark = pytest.mark.timeout(300)

BIN = Path(__file__).parent / "node_modules" / ".bin"
#: In place of a person who types to it.
ASKING = "claude -p Hello --output-format json"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_here(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


def ask(desk: Desk, text: str) -> dict[str, Any]:
    """The output of the page's lines with this prompt. Claude Code runs as root, for the first
    time."""
    assert text.rstrip().endswith("claude")
    typed = desk.fill(text).rstrip().removesuffix("claude") + ASKING
    environment = {
        "HOME": str(desk.home), "PATH": f"{BIN}:/usr/bin:/bin", "IS_SANDBOX": "1",
        "DISABLE_AUTOUPDATER": "1",
    }  # fmt: skip
    done = desk.run("bash", "-ec", typed, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_pages_lines(desk: Desk) -> None:
    told = ask(desk, find_block("docs/clients.md", "export ANTHROPIC_AUTH_TOKEN"))
    assert (told["is_error"], told["result"][: len(ANSWER)]) == (False, ANSWER)


def test_the_line_of_the_readme(desk: Desk) -> None:
    (row,) = [
        one for one in (ROOT / "README.md").read_text().splitlines() if "| Claude Code" in one
    ]
    told = ask(desk, row.split("`")[1])
    assert (told["is_error"], told["result"][: len(ANSWER)]) == (False, ANSWER)
