"""``serve``: the proxy itself."""

from __future__ import annotations

import os
from pathlib import Path

import click

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.report import fail, warn
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.secrets import find_exposed, resolve_secrets
from casedesk_proxy.daemon.tls_files import find_tls_faults
from casedesk_proxy.errors import ConfigError

__all__ = ["DEFAULT_FILE", "ENVIRONMENT", "serve"]

ENVIRONMENT = "CASEDESK_PROXY_CONFIG"
DEFAULT_FILE = "/etc/casedesk-proxy/config.yaml"


@click.command()
@click.option(
    "--config",
    "file",
    envvar=ENVIRONMENT,
    default=DEFAULT_FILE,
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="The configuration.",
)
def serve(file: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Exit code 2 for a configuration that cannot be used or an address that is taken.
    """
    # Here and not above: the other commands start without the server and its libraries.
    from casedesk_proxy.daemon import run

    try:
        config, secrets = _prepare(file)
        run.serve(config, secrets)
    except (ConfigError, OSError) as error:
        fail(error)


def _prepare(file: Path) -> tuple[Config, dict[str, str]]:
    """All that can be known to be wrong before anything is bound, in one ConfigError."""
    loaded = read_config(file)
    config = loaded.config
    warn([*loaded.warnings, *find_exposed(config, file=str(file))])
    complaints = find_tls_faults(config, file=str(file))
    secrets: dict[str, str] = {}
    try:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        secrets = resolve_secrets(config, os.environ, directory, file=str(file))
    except ConfigError as error:
        complaints += error.complaints
    if complaints:
        raise ConfigError(complaints)
    return config, secrets
