"""``token new``: a credential for a client."""

from __future__ import annotations

import sys

import click
from pydantic import TypeAdapter, ValidationError

from casedesk_proxy.cli.credential import mint, token_lines
from casedesk_proxy.config.values import Name

__all__ = ["token"]


@click.group()
def token() -> None:
    """Tokens for clients."""


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


@token.command(short_help="Mint a token and print it, this once.")
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
    """Mint a token and print it, this once, with the lines for the configuration.

    Nothing is stored: paste the lines under `tokens:` and give the token to its holder.

    Where stdout is not a terminal, it gets the token alone, so that
    `TOKEN=$(casedesk-proxy token new)` works; the lines are then on stderr.
    """
    credential = mint()
    click.echo("the token, shown only this once:", err=True)
    click.echo(credential.token)
    click.echo("in the configuration, under tokens:", err=True)
    beside = not sys.stdout.isatty()
    click.echo(token_lines(name, credential, deployments), nl=False, err=beside)
