"""The commands, one module each."""

from __future__ import annotations

from importlib import import_module

import click

from casedesk_proxy import __version__
from casedesk_proxy.cli import report
from casedesk_proxy.cli.groups import CommandGroup

__all__ = ["main"]

#: Each is in the module of its name, with underscores for dashes, in an object of the same name.
_COMMANDS = (
    "check", "demo", "doctor", "init", "install-service", "key", "openapi", "schema", "serve",
    "status", "token", "top", "usage", "user",
)  # fmt: skip
#: The module of a command's former name.
_ELSEWHERE = {"token": "key"}


class _Commands(CommandGroup):
    """A command's module is imported when the command is used: importing all takes a second of
    CPU."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        found = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, name)}"), name)
        assert isinstance(found, click.Command)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="casedesk-proxy", message="%(prog)s %(version)s")
def main() -> None:
    """CaseDesk Proxy: a streaming gateway for GPU hosts."""
    report.open_streams()
