"""``key list`` and ``key audit``: the keys, and who changed them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from casedesk_proxy.cli.key_store import look_at_keys
from casedesk_proxy.cli.report import make_table, open_console
from casedesk_proxy.cli.state_file import find_state_file, state_options
from casedesk_proxy.keystore.rows import StoredKey, describe_key, read_audit, read_keys

__all__ = ["audit", "list_keys", "show_limits"]

_FORM = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
                     show_default=True)  # fmt: skip


@click.command("list", short_help="Show the keys of the state file.")
@click.option("--all", "everything", is_flag=True, help="Also show revoked keys.")
@_FORM
@state_options
def list_keys(everything: bool, form: str, file: Path, state: Path | None) -> None:
    """Show the keys of the state file; `check` shows those of the configuration."""
    found = look_at_keys(find_state_file(file, state), read_keys)
    keys = [one for one in found if everything or one.ended is None]
    if form == "json":
        click.echo(json.dumps([describe_key(one) for one in keys], indent=2))
        return
    now = time.time()
    table = make_table(
        "name", "deployments", "state", "created", "last used", "expires", "limits", "note"
    )
    for one in keys:
        opens = ", ".join([*one.deployments, *(["(admin)"] * one.admin)])
        times = _when(one.created), _when(one.used), _when(one.expires)
        cells = (*times, show_limits(one), one.note)
        table.add_row(*map(Text, (one.name, opens, _state(one, now), *cells)))
    _print(table if keys else Text("no keys; `casedesk-proxy key new` creates one"))


@click.command(short_help="Show who did what to which key.")
@click.option(
    "--most", type=click.IntRange(1, 100_000), default=100, show_default=True,
    help="Show this many changes at most.",
)  # fmt: skip
@_FORM
@state_options
def audit(most: int, form: str, file: Path, state: Path | None) -> None:
    """Show who did what to which key, the latest first."""
    path = find_state_file(file, state)
    entries = look_at_keys(path, lambda connection: read_audit(connection, most))
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in entries], indent=2))
        return
    table = make_table("when (UTC)", "who", "action", "key", "details")
    for one in entries:
        table.add_row(*map(Text, (_when(one.at), one.actor, one.action, one.name, one.detail)))
    _print(table)


def _state(key: StoredKey, now: float) -> str:
    if key.ended is not None:
        return "revoked"
    if not key.opens(now):
        return "expired"
    return "being replaced" if key.replaced else "valid"


def show_limits(key: StoredKey) -> str:
    """In the form of `key new --limit`, as far as possible."""
    limits = json.loads(key.limits)
    return " ".join(f"{name}={_show_limit(value)}" for name, value in limits.items()) or "-"


def _show_limit(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if not isinstance(value, dict):
        return "none" if value is None else str(value)
    if value.keys() != {"hard", "soft"}:
        return "…"  # The changes in its requests.
    hard, soft = value["hard"], value["soft"]
    return str(hard) if soft is None else f"soft:{soft}" + f",hard:{hard}" * (hard is not None)


def _when(time_s: float | None) -> str:
    if time_s is None:
        return "-"
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")


def _print(shown: Table | Text) -> None:
    console = open_console()
    console.print(shown)
