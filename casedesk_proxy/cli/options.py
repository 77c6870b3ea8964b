"""Options of several commands: the configuration's file, and the admin listener's address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["DEFAULT_FILE", "admin_option", "config_option", "running_proxy_options"]

C = TypeVar("C", bound=Callable[..., Any])

DEFAULT_FILE = "/etc/casedesk-proxy/config.yaml"


def config_option(described: str) -> Callable[[C], C]:
    """``--config``, which the command gets as ``file``."""
    return click.option(
        "--config", "file", envvar="CASEDESK_PROXY_CONFIG", default=DEFAULT_FILE,
        show_default=True, show_envvar=True, type=click.Path(readable=False, path_type=Path),
        help=described,
    )  # fmt: skip


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
