"""The command line as a whole: its version, its commands, and wrong usage."""

from __future__ import annotations

import subprocess
import sys

import click
from click.testing import CliRunner

from casedesk_proxy import __version__
from casedesk_proxy.cli import main
from tests.cli.command import run
from tests.fixtures.table import table


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"casedesk-proxy {__version__}\n")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for command in (
        "serve",
        "status",
        "check",
        "schema",
        "openapi",
        "top",
        "init",
        "key",
        "demo",
        "install-service",
    ):
        assert f"\n  {command} " in result.output
    assert "...\n" not in result.output.partition("Commands:")[2], (
        "a line that is cut off tells half of it"
    )


@table(
    "arguments",
    [
        ["chekc"],
        ["check", "a.yaml", "--config", "b.yaml"],
        ["serve", "--port", "1"],
        ["status", "extra"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_a_command_is_imported_only_when_it_is_used() -> None:
    """Importing all takes a second of CPU."""
    script = "import sys, casedesk_proxy.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert sorted(name for name in loaded if name.startswith("casedesk_proxy.cli.")) == [
        "casedesk_proxy.cli.groups",
        "casedesk_proxy.cli.report",
    ]


def test_a_former_name_still_works() -> None:
    group = main
    context = click.Context(group)
    assert group.get_command(context, "token") is not None
    assert group.get_command(context, "tokens") is None
