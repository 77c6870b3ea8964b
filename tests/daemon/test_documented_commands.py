"""What README.md and docs/keys.md show to be typed: whole blocks, in a shell, beside a daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.simulator.script import Script
from tests.cli.command import ENVIRONMENT
from tests.daemon.process import Process, daemon
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.simulated import simulator_thread
from tests.systemd.machine import ROOT

CONFIG = """\
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", state_directory: "{folder}/state"}}
default_deployment: open
nodes: {{n: {{url: "{url}", engine: openai, models: [m]}}}}
deployments:
  desk: {{nodes: [n]}}
  open: {{auth: none, nodes: [n], aliases: {{"gemini-*": m}}}}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("commands")
    with simulator_thread(m=Script(words=3)) as node:
        text = CONFIG.format(folder=folder, url=node.url)
        with daemon(folder, node.url, text=text) as process:
            yield process


def block(document: str, words: str) -> str:
    """The one that holds these words."""
    text = (ROOT / document).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (found,) = [one for one in blocks if words in one]
    return str(found)


def type_in(proxy: Process, commands: str, **variables: str) -> list[str]:
    """The lines of stdout. The ports are this daemon's, and its file is where a service has it."""
    commands = commands.replace("127.0.0.1:8080", f"127.0.0.1:{proxy.public}")
    commands = commands.replace("127.0.0.1:9180", f"127.0.0.1:{proxy.admin}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        **ENVIRONMENT, "PATH": path, "CASEDESK_PROXY_CONFIG": str(proxy.file), **variables,
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-ec", commands], env=environment, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def make_key(proxy: Process, name: str, *options: str) -> str:
    """One that counts already."""
    (key,) = type_in(proxy, f"casedesk-proxy key new --name {name} {' '.join(options)}")
    proxy.read_until("keys changed in the state file", name)
    return key


def test_the_first_curl_line_streams(proxy: Process) -> None:
    lines = type_in(proxy, block("README.md", "streamGenerateContent"))
    assert sum(line.startswith('data: {"candidates"') for line in lines) >= 3


def test_a_life_of_a_key(proxy: Process) -> None:
    lines = type_in(proxy, block("docs/keys.md", "key rotate"))
    assert [line[:4] for line in lines if line.startswith("cdp-")] == ["cdp-"] * 2
    assert "revoked: alice" in lines
    audited = [line.split()[5] for line in lines if "command line, " in line]
    assert audited == ["revoke", "rotate", "set", "new"]


def test_a_holder_sees_its_use(proxy: Process) -> None:
    key = make_key(proxy, "holder", "--deployment desk")
    (shown,) = type_in(proxy, block("docs/keys.md", "/v1/usage"), KEY=key)
    assert '"key":"holder"' in shown


def test_keys_over_http(proxy: Process) -> None:
    root = make_key(proxy, "root", "--admin")
    made, _ = "".join(type_in(proxy, block("docs/keys.md", "-X DELETE"), ROOT=root)).split("}{", 1)
    assert '"key":"cdp-' in made.replace(": ", ":")
