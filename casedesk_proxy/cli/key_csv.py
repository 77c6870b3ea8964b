"""``key export`` and ``key import``: hashes of keys, to and from a CSV file."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import BinaryIO

import click

from casedesk_proxy.cli.key_store import change_keys, look_at_keys
from casedesk_proxy.cli.report import fail, write_table
from casedesk_proxy.cli.state_file import find_state_file, state_options
from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.keystore.changes import Author, KeyFault, issue
from casedesk_proxy.keystore.csv_form import read_csv, write_csv
from casedesk_proxy.keystore.rows import read_keys

__all__ = ["export_keys", "import_keys"]

_MAX_FILE_BYTES = 16 * 2**20


@click.command("export", short_help="Export the keys' hashes as CSV.")
@state_options
def export_keys(file: Path, state: Path | None) -> None:
    """Write all keys that are not revoked to stdout as CSV, by their hashes."""
    write_table(write_csv(look_at_keys(find_state_file(file, state), read_keys)))


@click.command("import", short_help="Import keys from CSV, by their hashes.")
@click.argument("source", metavar="FILE", type=click.File("rb"))
@state_options
def import_keys(source: BinaryIO, file: Path, state: Path | None) -> None:
    """Import keys from a CSV file, - for stdin. If a line is wrong, none is imported, and each
    wrong line is reported. The first line names the columns: name, sha256 and optionally
    deployments (separated by spaces), note, admin (true or false), expires and limits (in JSON:
    {"tokens_per_day": 100000}).
    """
    raw: bytes = source.read(_MAX_FILE_BYTES + 1)
    if len(raw) > _MAX_FILE_BYTES:
        fail("the file is larger than 16 MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(10) + 1
        fail(f"{source.name}: line {line}: is not UTF-8; save the file as UTF-8")
    keys, faults = read_csv(text, time.time())
    if faults:
        fail(ConfigError([Complaint("", one, source.name) for one in faults]))

    def take(connection: sqlite3.Connection, by: Author) -> None:
        for key in keys:
            try:
                issue(connection, key, by)
            except KeyFault as fault:
                raise KeyFault("", f"key {key.name}: {fault}", fault.status, fault.code) from None

    change_keys(find_state_file(file, state), take)
    click.echo(f"keys imported: {len(keys)}")
