"""What docs/clients.md assumes: a proxy on port 8080, with a deployment that is called desk, a key,
and aliases for the names that agents use. It runs in its own network namespace, so the page's text
is run unchanged, and nothing that a client sends leaves this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from casedesk_proxy.simulator.answer import say
from tests.daemon.process import Process, daemon
from tests.first_hour.network import own_network, running
from tests.fixtures.proxy import config_text, key_entry

__all__ = ["ANSWER", "Desk", "desk_here"]

#: How whatever the simulated node says begins.
ANSWER = say("").partition(",")[0]
_KEY = "cdp-the-key"
_CONFIG = {
    "server": {"listen": "127.0.0.1:8080", "admin": "127.0.0.1:9180"},
    "default_deployment": "desk",
    "nodes": {
        "simulated": {"url": "http://127.0.0.1:8000", "engine": "openai", "models": ["m"]},
        "ollama": {"url": "http://127.0.0.1:11434", "engine": "ollama", "models": ["tiny"]},
        "vllm": {"url": "http://127.0.0.1:8001", "engine": "vllm", "models": ["reranker"]},
    },
    "deployments": {
        "desk": {
            "nodes": ["simulated", "ollama", "vllm"],
            "aliases": {"claude-*": "m", "gemini-*": "m", "gpt-*": "m"},
        }
    },
    "keys": [key_entry(_KEY, "desk")],
}


@dataclass(frozen=True)
class Desk:
    """``home`` is an empty folder for a client's files."""

    enter: list[str]
    proxy: Process
    home: Path

    def fill(self, text: str) -> str:
        """A block of the page, with this host and this key."""
        return re.sub(r"\bHOST\b", "127.0.0.1", re.sub(r"\bKEY\b", _KEY, text))

    def run(
        self, *command: str | Path, text: str = "", cwd: Path | None = None,
        environment: Mapping[str, str],
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command with the input ``text``, in this environment alone."""
        return subprocess.run(
            [*self.enter, "env", "-i", *(f"{key}={value}" for key, value in environment.items()),
             *map(str, command)],
            input=text, cwd=cwd or self.home, capture_output=True, text=True, check=False,
            timeout=240,
        )  # fmt: skip


@contextmanager
def desk_here(folder: Path) -> Iterator[Desk]:
    home = folder / "home"
    home.mkdir()
    with (
        own_network() as enter,
        running(enter, "node", "8000"),
        running(enter, "ollama", "11434"),
        running(enter, "reranker", "8001"),
        daemon(
            folder, "", text=config_text(_CONFIG),
            command=(*enter, sys.executable, "-m", "casedesk_proxy"),
        ) as proxy,
    ):  # fmt: skip
        yield Desk(enter, proxy, home)
