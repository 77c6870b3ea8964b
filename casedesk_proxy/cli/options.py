"""Options of several commands: the configuration's file, and the admin listener's address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

__all__ = [
    "DEFAULT_FILE",
    "admin_option",
    "config_option",
    "file_or_config",
    "running_proxy_options",
]

C = TypeVar("C", bound=Callable[..., Any])

DEFAULT_FILE = "/etc/casedesk-proxy/config.yaml"
#: Under which the context keeps what was named without an option.
_NAMED = "casedesk_proxy.named_file"


def config_option(
    described: str, callback: Callable[[click.Context, click.Parameter, Path], Path] | None = None
) -> Callable[[C], C]:
    """``--config``, which the command gets as ``file``."""
    return click.option(
        "--config", "file", envvar="CASEDESK_PROXY_CONFIG", default=DEFAULT_FILE,
        show_default=True, show_envvar=True, type=click.Path(readable=False, path_type=Path),
        callback=callback, help=described,
    )  # fmt: skip


def file_or_config(command: C) -> C:
    """The same, which may also be named without ``--config``, as ``FILE``."""
    argument = click.argument(
        "named", metavar="[FILE]", required=False, is_eager=True, expose_value=False,
        type=click.Path(readable=False, path_type=Path), callback=_keep_named,
    )  # fmt: skip
    option = config_option("The configuration.", callback=_choose_file)
    return argument(option(command))


def _keep_named(context: click.Context, argument: click.Parameter, named: Path | None) -> None:
    context.meta[_NAMED] = named


def _choose_file(context: click.Context, option: click.Parameter, file: Path) -> Path:
    named: Path | None = context.meta[_NAMED]
    if named is None:
        return file
    if context.get_parameter_source("file") is ParameterSource.COMMANDLINE:
        raise click.UsageError(f"two configurations: {named} and --config {file}; name one")
    return named


def admin_option(described: str) -> Callable[[C], C]:
    """``--admin``."""
    return click.option(
        "--admin", envvar="CASEDESK_PROXY_ADMIN", show_envvar=True, metavar="ADDRESS",
        help=described,
    )  # fmt: skip


def running_proxy_options(command: C) -> C:
    """Both, for a command that asks a running proxy."""
    admin = admin_option(
        "Admin address, host:port or unix:/path, instead of the configuration's; for example"
        " that of an instance."
    )
    return config_option("The configuration that names the admin address.")(admin(command))
