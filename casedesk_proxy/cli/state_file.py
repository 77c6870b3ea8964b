"""The options by which commands find the state file of a proxy, running or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.options import DEFAULT_FILE, config_option
from casedesk_proxy.cli.report import fail
from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.store.file import FILE_NAME, find_directory

__all__ = ["find_state_file", "locate_state_file", "state_options"]

#: The state directory of a service under systemd: a command does not see the service's environment.
_SERVICE_STATE = Path("/var/lib/casedesk-proxy")


def state_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--config`` and ``--state``, which the command gets as ``file`` and ``state``."""
    command = click.option(
        "--state", type=click.Path(readable=False, path_type=Path), metavar="FILE",
        help="The state file itself, or its directory, instead.",
    )(command)  # fmt: skip
    return config_option("The configuration that names the state directory.")(command)


def find_state_file(file: Path, state: Path | None, service_state: Path = _SERVICE_STATE) -> Path:
    """The file that a running proxy with that configuration uses. Ends the command if it is
    unknown."""
    if state is not None:
        return state / FILE_NAME if state.is_dir() else state
    configured = None
    if file.exists() or str(file) != DEFAULT_FILE:
        try:
            configured = read_config(file).config.server.state_directory
        except ConfigError as error:
            fail(error)
    found = locate_state_file(configured, service_state)
    if found is None:
        fail("$HOME is not set; name the state file with --state")
    return found


def locate_state_file(configured: str | None, service_state: Path = _SERVICE_STATE) -> Path | None:
    """The same for a configuration that has been read: ``configured`` is its directory. None if
    unknown."""
    service = service_state / FILE_NAME
    if configured is None and "STATE_DIRECTORY" not in os.environ and os.access(service, os.R_OK):
        return service
    directory = find_directory(configured, os.environ)
    return None if directory is None else directory / FILE_NAME
