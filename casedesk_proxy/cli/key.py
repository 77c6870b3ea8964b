"""``key new``: a credential for a client."""

from __future__ import annotations

import sys

import click
from pydantic import TypeAdapter, ValidationError

from casedesk_proxy.cli.credential import key_lines, mint
from casedesk_proxy.config.values import Name

__all__ = ["key", "token"]


@click.group()
def key() -> None:
    """Keys for clients."""


def _check_names(
    context: click.Context, parameter: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    for name in (value,) if isinstance(value, str) else value:
        try:
            TypeAdapter(Name).validate_python(name)
        except ValidationError as error:
            message = error.errors()[0]["ctx"]["message"]
            raise click.BadParameter(f"{name!r} {message}") from None
    return value


@key.command(short_help="Mint a key and print it, this once.")
@click.option(
    "--name",
    default="client",
    show_default=True,
    callback=_check_names,
    help="Who holds it; stands in logs.",
)
@click.option(
    "--deployment",
    "deployments",
    multiple=True,
    default=("desk",),
    show_default=True,
    callback=_check_names,
    help="What it opens; may be given several times.",
)
def new(name: str, deployments: tuple[str, ...]) -> None:
    """Mint a key and print it, this once, with the lines for the configuration.

    Nothing is stored: paste the lines under `keys:` and give the key to its holder.

    Where stdout is not a terminal, it gets the key alone, so that
    `KEY=$(casedesk-proxy key new)` works; the lines are then on stderr.
    """
    credential = mint()
    click.echo("the key, shown only this once:", err=True)
    click.echo(credential.key)
    click.echo("in the configuration, under keys:", err=True)
    beside = not sys.stdout.isatty()
    click.echo(key_lines(name, credential, deployments), nl=False, err=beside)


#: What the command was called before a token was a model's.
token = click.Group(
    "token", dict(key.commands), hidden=True, help=key.help, epilog="The old name of `key`."
)
