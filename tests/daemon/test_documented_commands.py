"""The commands that the documents show beside a daemon: whole blocks, in a shell or a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from casedesk_proxy.simulator.answer import say
from casedesk_proxy.simulator.script import Script
from tests.cli.command import ENVIRONMENT
from tests.cli.tmux import Terminal, terminal
from tests.daemon.process import Process, daemon
from tests.first_hour.typed import find_block, find_blocks
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.simulated import simulator_thread

CONFIG = """\
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", state_directory: "{folder}/state"}}
default_deployment: open
nodes: {{n: {{url: "{url}", engine: openai, models: [m, sim]}}}}
deployments:
  desk: {{nodes: [n]}}
  open: {{auth: none, nodes: [n], aliases: {{"gemini-*": m}}}}
  sdks: {{auth: none, nodes: [n], aliases: {{"gemini-*": sim, "claude-*": sim, "gpt-*": sim}}}}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("commands")
    with simulator_thread(m=Script(words=3)) as node:
        text = CONFIG.format(folder=folder, url=node.url)
        with daemon(folder, node.url, text=text) as process:
            yield process


def place(proxy: Process, text: str) -> str:
    """A command of the page, with this daemon's ports."""
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{proxy.public}")
    return text.replace("127.0.0.1:9180", f"127.0.0.1:{proxy.admin}")


def surroundings(proxy: Process, **variables: str) -> dict[str, str]:
    """The environment in which the daemon's file is at the usual place of a service."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"PATH": path, "CASEDESK_PROXY_CONFIG": str(proxy.file)}
    own["CASEDESK_PROXY_ADMIN"] = f"127.0.0.1:{proxy.admin}"
    return {**ENVIRONMENT, **own, **variables}


def type_in(proxy: Process, commands: str, **variables: str) -> list[str]:
    """Run the command; returns the lines of stdout."""
    done = subprocess.run(
        ["bash", "-ec", place(proxy, commands)], env=surroundings(proxy, **variables),
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@contextmanager
def in_terminal(proxy: Process, folder: Path, commands: str) -> Iterator[Terminal]:
    given = [f"{name}={value}" for name, value in surroundings(proxy).items()]
    with terminal(folder, ["env", *given, "bash", "-ec", commands], {}) as opened:
        yield opened


def make_key(proxy: Process, name: str, *options: str) -> str:
    """A key that is already valid."""
    (key,) = type_in(proxy, f"casedesk-proxy key new --name {name} {' '.join(options)}")
    proxy.read_until("keys changed in the state file", name)
    return key


def test_the_first_curl_line_streams(proxy: Process) -> None:
    lines = type_in(proxy, find_block("README.md", "streamGenerateContent"))
    assert sum(line.startswith('data: {"candidates"') for line in lines) >= 3


def test_a_life_of_a_key(proxy: Process) -> None:
    lines = type_in(proxy, find_block("docs/keys.md", "key rotate"))
    assert [line[:4] for line in lines if line.startswith("cdp-")] == ["cdp-"] * 2
    assert "revoked: alice" in lines
    alices = [line.split() for line in lines if "command line, " in line and " alice" in line]
    audited = [line[5] for line in alices]
    assert audited == ["revoke", "rotate", "set", "new"]


def test_a_holder_sees_its_use(proxy: Process) -> None:
    key = make_key(proxy, "holder", "--deployment desk")
    (shown,) = type_in(proxy, find_block("docs/keys.md", "/v1/usage"), KEY=key)
    assert '"key":"holder"' in shown


def test_keys_over_http(proxy: Process) -> None:
    root = make_key(proxy, "root", "--admin")
    made, _ = "".join(type_in(proxy, find_block("docs/keys.md", "-X DELETE"), ROOT=root)).split(
        "}{", 1
    )
    assert '"key":"cdp-' in made.replace(": ", ":")


def test_users(proxy: Process, tmp_path: Path) -> None:
    """The command runs in a terminal, since it asks for passwords."""
    with in_terminal(proxy, tmp_path, find_block("docs/console.md", "user new dora")) as opened:
        new = "dora: created; may use desk, an admin\nPassword:"
        again = "\nRepeat for confirmation:"
        for asked in ("Password:", f"Password:{again}", new, new + again):
            opened.wait_for(asked)
            opened.press("a-good-password", "Enter")
        screen = "\n".join(opened.wait_for_end())
    assert "scrypt" in screen
    assert "removed: dora" in screen
    assert "ended with 0" in screen


def test_what_answers_most_questions(proxy: Process, tmp_path: Path) -> None:
    typed = find_block("docs/troubleshooting.md", "casedesk-proxy doctor FILE")
    *commands, top = typed.replace("FILE", str(proxy.file)).strip().splitlines()
    told = "\n".join(type_in(proxy, "\n".join(commands)))
    assert "speaks  max streams" in told, "doctor's table"
    assert "state  streams" in told, "that of status"
    with in_terminal(proxy, tmp_path, top) as opened:
        opened.wait_for("0 waiting")
        opened.press("q")
        assert "ended with 0" in "\n".join(opened.wait_for_end())


@pytest.mark.parametrize("text", find_blocks("docs/clients.md", "python")[:3])
def test_the_vendors_sdks(proxy: Process, text: str) -> None:
    """`make check-clients` runs the other blocks of the page."""
    text = text.replace("/proxy/desk/", "/proxy/sdks/").replace("HOST:8080", "127.0.0.1:8080")
    done = subprocess.run(
        [sys.executable, "-c", place(proxy, text)], env=ENVIRONMENT, capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.stdout == f"{say('Hello')}\n", done.stderr
