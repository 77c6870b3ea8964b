from __future__ import annotations

import socket

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
        ["check"],
        ["serve", "--port", "1"],
        ["demo", "--listen", "8080"],
        ["demo", "--listen", "host:99999"],
        ["demo", "--pace", "-1"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_a_demo_whose_port_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = run("demo", "--listen", address)
    assert done.returncode == 2
    assert f"error: cannot listen on {address}: " in done.stderr
    assert done.stderr.endswith("; serve elsewhere with --listen HOST:PORT\n")
