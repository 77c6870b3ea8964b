"""Layer 6: the commands, one module each."""

from __future__ import annotations

from importlib import import_module

import click

from casedesk_proxy import __version__
from casedesk_proxy.cli import report

__all__ = ["main"]

#: Each with the module that has it, under its own name with underscores for dashes.
_COMMANDS = {
    "check": "casedesk_proxy.cli.check",
    "demo": "casedesk_proxy.cli.demo",
    "doctor": "casedesk_proxy.cli.doctor",
    "init": "casedesk_proxy.cli.init",
    "install-service": "casedesk_proxy.cli.install_service",
    "key": "casedesk_proxy.cli.key",
    "openapi": "casedesk_proxy.cli.openapi",
    "schema": "casedesk_proxy.cli.schema",
    "serve": "casedesk_proxy.cli.serve",
    "status": "casedesk_proxy.cli.status",
    "token": "casedesk_proxy.cli.key",
    "top": "casedesk_proxy.cli.top",
    "usage": "casedesk_proxy.cli.usage",
    "user": "casedesk_proxy.cli.user",
}


class _Commands(click.Group):
    """A command's module is imported when it is asked for: all of them take a second of CPU."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = getattr(import_module(module), cmd_name.replace("-", "_"))
        assert isinstance(found, click.Command)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="casedesk-proxy", message="%(prog)s %(version)s")
def main() -> None:
    """CaseDesk Proxy: a streaming gateway for GPU hosts."""
    report.open_streams()
