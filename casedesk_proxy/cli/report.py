"""How commands speak about trouble: one line for each complaint on stderr, exit code 2."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import click

from casedesk_proxy.errors import Complaint, ConfigError

__all__ = ["fail", "warn"]


def warn(complaints: Iterable[Complaint]) -> None:
    for complaint in complaints:
        _say("warning", "yellow", str(complaint))


def fail(error: ConfigError | OSError | str) -> NoReturn:
    """End the command. For what the user can mend; anything else deserves its traceback."""
    if isinstance(error, ConfigError):
        lines = [str(complaint) for complaint in error.complaints]
    else:
        lines = [_describe(error) if isinstance(error, OSError) else error]
    for line in lines:
        _say("error", "red", line)
    raise click.exceptions.Exit(2)


def _describe(error: OSError) -> str:
    # asyncio puts the address into strerror, the plain calls put a path into filename.
    text = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {text}" if error.filename else text


def _say(kind: str, colour: str, text: str) -> None:
    click.echo(f"{click.style(kind, fg=colour)}: {' '.join(text.split())}", err=True)
