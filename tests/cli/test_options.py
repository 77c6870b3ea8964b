"""Shared options: their defaults, and the variables that replace them."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from casedesk_proxy.cli.options import DEFAULT_FILE, file_or_config, running_proxy_options
from tests.fixtures.table import table


@click.command()
@running_proxy_options
def show(file: Path, admin: str | None) -> None:
    """Prints what it gets."""
    click.echo(f"{file} {admin}")


@table(
    ("arguments", "environment", "got"),
    [
        ([], {}, f"{DEFAULT_FILE} None"),
        (
            ["--config", "a.yaml", "--admin", "h:1"],
            {"CASEDESK_PROXY_CONFIG": "b.yaml"},
            "a.yaml h:1",
        ),
        (
            [],
            {"CASEDESK_PROXY_CONFIG": "b.yaml", "CASEDESK_PROXY_ADMIN": "unix:/s"},
            "b.yaml unix:/s",
        ),
    ],
)
def test_options_and_variables(arguments: list[str], environment: dict[str, str], got: str) -> None:
    result = CliRunner().invoke(show, arguments, env=environment)
    assert result.stdout == f"{got}\n"


@click.command()
@file_or_config
def name_file(file: Path) -> None:
    """Prints what it gets."""
    click.echo(file)


@table(
    ("arguments", "got"),
    [
        ([], "b.yaml"),
        (["a.yaml"], "a.yaml"),
        (["--config", "a.yaml"], "a.yaml"),
    ],
)
def test_a_file_with_and_without_its_option(arguments: list[str], got: str) -> None:
    result = CliRunner().invoke(name_file, arguments, env={"CASEDESK_PROXY_CONFIG": "b.yaml"})
    assert result.stdout == f"{got}\n"


def test_two_files() -> None:
    result = CliRunner().invoke(name_file, ["a.yaml", "--config", "b.yaml"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "two configurations: a.yaml and --config b.yaml; name one" in result.stderr
