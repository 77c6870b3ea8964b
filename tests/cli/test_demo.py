"""``demo``: its options, and an address that is in use."""

from __future__ import annotations

import socket

from click.testing import CliRunner

from casedesk_proxy.cli import main
from tests.cli.command import run
from tests.fixtures.table import table


def test_a_demo_whose_port_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = run("demo", "--listen", address)
    assert done.returncode == 2
    assert f"error: cannot listen on {address}: " in done.stderr
    assert done.stderr.endswith("; end it, or choose another address with --listen HOST:PORT\n")


@table("arguments", [["--listen", "8080"], ["--listen", "host:99999"], ["--pace", "-1"], ["more"]])
def test_wrong_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code == 2
    assert "Error: " in result.stderr
