from __future__ import annotations

import hashlib

import pytest
import yaml
from click.testing import CliRunner

from casedesk_proxy.cli import main


def test_it_prints_a_token_and_the_lines_to_paste() -> None:
    arguments = ["token", "new", "--name", "alice", "--deployment", "a", "--deployment", "b"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    token, _, lines = result.stdout.partition("\n")
    assert token.startswith("cdp-")
    assert yaml.safe_load(lines) == [
        {
            "name": "alice",
            "sha256": hashlib.sha256(token.encode()).hexdigest(),
            "deployments": ["a", "b"],
        }
    ]
    assert token not in result.stderr
    assert result.stdout.count(token) == 1
    assert "only this once" in result.stderr


@pytest.mark.parametrize("option", ["--name", "--deployment"])
def test_names_that_no_configuration_takes(option: str) -> None:
    result = CliRunner().invoke(main, ["token", "new", option, "a b"])
    assert result.exit_code == 2
    assert "'a b' is not a name" in result.stderr
    assert result.stdout == ""
