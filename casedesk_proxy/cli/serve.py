"""``serve``: the proxy itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.options import admin_option, file_or_config
from casedesk_proxy.cli.plain import obey_environment
from casedesk_proxy.cli.report import fail, warn
from casedesk_proxy.cli.stored_keys import find_warnings, read_valid_keys
from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.secrets import find_exposed, read_secret, resolve_secrets
from casedesk_proxy.daemon.signals import Signals
from casedesk_proxy.daemon.tls_files import find_tls_faults, warn_of_certificate
from casedesk_proxy.store.file import FILE_NAME, find_directory

if TYPE_CHECKING:
    from casedesk_proxy.daemon.reload import Prepared
    from casedesk_proxy.files.s3_bucket import S3Bucket

__all__ = ["find_bucket", "read_keys", "serve"]


@click.command(short_help="Run the proxy.")
@file_or_config
@admin_option("Admin address instead of server.admin, for several instances with one file.")
def serve(file: Path, admin: str | None) -> None:
    """Serve until SIGTERM or SIGINT: the first lets running streams end, a second one ends them at
    once.

    FILE is short for --config FILE. SIGHUP reloads the configuration; under systemd SIGUSR2
    replaces the process with the version that is installed now. Exit code 2 if the configuration
    cannot be used or the address is in use.
    """
    signals = Signals()
    signals.hold(signal.SIGHUP, signal.SIGUSR2)
    if os.getpid() == 1:
        # In a container. The kernel drops what its first process has no handler for.
        signals.hold(signal.SIGTERM, signal.SIGINT)
    obey_environment()
    # Imported here: the other commands start without the server and its libraries.
    from casedesk_proxy.daemon import run

    reported = False

    def prepare() -> Prepared:
        nonlocal reported
        prepared = _prepare(file, admin)
        if not reported:
            # Warnings at the start go to the terminal, those of a reload to the log.
            warn(prepared.warnings)
            reported = True
        return prepared

    try:
        run.serve(prepare, file, signals)
    except (ConfigError, OSError) as error:
        fail(error)


def _prepare(file: Path, admin: str | None) -> Prepared:
    """Everything that is needed before a socket is bound, or all faults in one ConfigError."""
    from casedesk_proxy.daemon.reload import Prepared

    loaded = read_config(file)
    config = _with_admin(loaded.config, admin)
    directory = find_directory(config.server.state_directory, os.environ)
    state = None if directory is None else directory / FILE_NAME
    stored = read_valid_keys(state) if loaded.unopened else []
    found = find_exposed(config, file=str(file)) + warn_of_certificate(config, file=str(file))
    warnings = (*find_warnings(loaded, stored), *loaded.locate(found))
    with loaded.locating():
        keys = read_keys(config, file)
        bucket = find_bucket(config, file)
        return Prepared(config, keys, warnings, read_database(config, file), bucket)


def find_bucket(config: Config, file: Path) -> S3Bucket | None:
    """The files' bucket, with its keys. Raises ConfigError."""
    if config.files.s3 is None:
        return None
    from casedesk_proxy.daemon.buckets import open_file_bucket

    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return open_file_bucket(config.files.s3, os.environ, directory, file=str(file))


def read_database(config: Config, file: Path) -> str | None:
    """The URL of the ledger's database. Raises ConfigError."""
    if config.ledger.url is None:
        return None
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return read_secret(config.ledger.url, "ledger.url", os.environ, directory, file=str(file))


def read_keys(config: Config, file: Path) -> dict[str, str]:
    """The nodes' keys by node. Raises ConfigError, which names all keys and certificates that the
    current user cannot use."""
    complaints = find_tls_faults(config, file=str(file))
    secrets: dict[str, str] = {}
    try:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        secrets = resolve_secrets(config, os.environ, directory, file=str(file))
    except ConfigError as error:
        complaints += error.complaints
    if complaints:
        raise ConfigError(complaints)
    return secrets


def _with_admin(config: Config, admin: str | None) -> Config:
    """With the admin address of the command line, checked as the file's would be."""
    if admin is None:
        return config
    try:
        server = type(config.server).model_validate({**dict(config.server), "admin": admin})
    except ValueError:
        remedy = "write host:port, [v6]:port or unix:/path"
        complaint = Complaint("", f"{admin!r} is not an address", "--admin", remedy=remedy)
        raise ConfigError([complaint]) from None
    return config.model_copy(update={"server": server})
