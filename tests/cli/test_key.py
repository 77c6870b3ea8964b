from __future__ import annotations

import hashlib
import os
import pty
import re
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from casedesk_proxy.cli import main
from tests.cli.command import COMMAND


def test_it_prints_a_key_and_the_lines_to_paste() -> None:
    arguments = ["key", "new", "--name", "alice", "--deployment", "a", "--deployment", "b"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    # Into a pipe or a file: the key and nothing else, as `KEY=$(…)` needs it.
    key = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"cdp-[\w-]+", key)
    _, _, lines = result.stderr.partition("under keys:\n")
    assert yaml.safe_load(lines) == [
        {
            "name": "alice",
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "deployments": ["a", "b"],
        }
    ]
    assert key not in result.stderr
    assert "only this once" in result.stderr


def test_a_terminal_gets_both_on_stdout() -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "key", "new"],
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=True,
            timeout=30,
        )
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    key, _, lines = shown.replace("\r\n", "\n").partition("\n")
    (entry,) = yaml.safe_load(lines)
    assert entry["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert b"sha256" not in done.stderr


@pytest.mark.parametrize("option", ["--name", "--deployment"])
def test_names_that_no_configuration_takes(option: str) -> None:
    result = CliRunner().invoke(main, ["key", "new", option, "a b"])
    assert result.exit_code == 2
    assert "'a b' is not a name" in result.stderr
    assert result.stdout == ""


def test_the_old_command_still_mints() -> None:
    result = CliRunner().invoke(main, ["token", "new", "--name", "alice"])
    assert (result.exit_code, result.stdout[:4]) == (0, "cdp-")
    assert "token" not in CliRunner().invoke(main, ["--help"]).stdout
