"""Google's gemini-cli through the proxy, with an image in its prompt: ``make check-gemini-cli``. It
installs gemini-cli first (100 MB, so it is not part of ``make check``). Nothing here leaves this
machine.

Its nodes are real: a llama-server with a projector, and one without.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.desk import ANSWER, desk_here
from tests.first_hour.typed import find_block
from tests.fixtures.proxy import key_entry, proxy_here
from tests.nodes.llama_server import LlamaNode
from tests.nodes.tiny_model import REPLY
from tests.nodes.tiny_projector import IMAGE_TOKENS, make_image
from tests.systemd.machine import ROOT

CLI = Path(__file__).parent / "node_modules" / ".bin" / "gemini"
KEY = "gemini-cli-key-1"
PROMPT = "What is this? @picture.png"
#: Its own first prompt has 37 000 tokens of one letter each, most of them instructions and tools.
SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "general": {"enableAutoUpdate": False},
    "privacy": {"usageStatisticsEnabled": False},
    "tools": {"core": []},
}


@dataclass
class Desk:
    """A home for gemini-cli, whose folder ``work`` contains ``picture.png``."""

    base: str
    home: Path

    async def ask(self, prompt: str) -> dict[str, Any]:
        """The output for scripts: ``response`` and ``stats``, or ``error``."""
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = {
            "HOME": str(self.home), "TMPDIR": str(self.home), "PATH": path,
            "GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_SYSTEM_MD": str(self.home / "short.md"),
            "GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": self.base,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            CLI, "-m", "tiny", "-p", prompt, "--output-format", "json",
            cwd=self.home / "work", env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        text = (out if process.returncode == 0 else errors).decode()
        told: dict[str, Any] = json.loads(
            text[text.index("\n{\n" if process.returncode else "{") :]
        )
        return told


@asynccontextmanager
async def desk(home: Path, node: LlamaNode) -> AsyncIterator[Desk]:
    (home / "work").mkdir()
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text(json.dumps(SETTINGS))
    (home / "short.md").write_text("Be brief.")
    (home / "work" / "picture.png").write_bytes(make_image())
    config = {
        "nodes": {"n": {"url": node.url, "engine": "llama-server"}},
        "deployments": {"d": {"nodes": ["n"]}},
        "keys": [key_entry(KEY, "d")],
    }
    async with proxy_here(config) as proxy:
        base = proxy.url.replace("127.0.0.1", "localhost")
        yield Desk(f"{base}/proxy/d/gemini", home)


@pytest.mark.timeout(300)
async def test_a_picture_beside_the_prompt(seeing_node: LlamaNode, tmp_path: Path) -> None:
    async with desk(tmp_path, seeing_node) as here:
        told = await here.ask(PROMPT)
    assert told["response"] == REPLY
    (model,) = told["stats"]["models"].values()
    assert model["api"]["totalErrors"] == 0
    assert model["tokens"]["prompt"] > IMAGE_TOKENS


@pytest.mark.timeout(300)
async def test_the_node_reads_the_picture(seeing_node: LlamaNode, tmp_path: Path) -> None:
    """Without reading it the node could not find that it is broken."""
    async with desk(tmp_path, seeing_node) as here:
        (here.home / "work" / "picture.png").write_bytes(make_image()[:20])
        told = await here.ask(PROMPT)
    assert told["error"]["code"] == 400
    assert " could not read an image" in told["error"]["message"]


@pytest.mark.timeout(300)
async def test_a_node_that_takes_no_pictures(llama_node: LlamaNode, tmp_path: Path) -> None:
    async with desk(tmp_path, llama_node) as here:
        told = await here.ask(PROMPT)
    assert told["error"]["code"] == 400
    assert "the model 'tiny' does not accept images" in told["error"]["message"]


@pytest.mark.timeout(300)
async def test_the_pages_lines(tmp_path: Path) -> None:
    """The lines of docs/clients.md are run as they are; the arguments of `gemini` replace a
    person's typing."""
    page = ROOT / "docs/clients.md"
    (settings,) = re.findall(
        r"with `(\"security.*?)` in `~/.gemini/settings.json`", page.read_text()
    )
    typed = find_block("docs/clients.md", "export GEMINI_API_KEY").rstrip()
    assert typed.endswith("\ngemini")
    with desk_here(tmp_path) as here:
        (here.home / ".gemini").mkdir()
        (here.home / ".gemini/settings.json").write_text(f"{{{settings}}}")
        path = f"{CLI.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
        trusted = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}
        environment = {"HOME": str(here.home), "PATH": path, **trusted}
        done = here.run("bash", "-ec", here.fill(typed) + " -p Hello", environment=environment)
    assert ANSWER in done.stdout, done.stdout + done.stderr
