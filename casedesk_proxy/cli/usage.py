"""``usage``: the content of the ledger, read beside a running proxy or without one."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from casedesk_proxy.cli.all_hosts import read_all_hosts
from casedesk_proxy.cli.report import (
    can_print,
    fail,
    make_harmless,
    make_table,
    open_console,
    write_table,
)
from casedesk_proxy.cli.state_file import find_state_file, state_options
from casedesk_proxy.config.units import parse_duration
from casedesk_proxy.ledger.query import DIMENSIONS, SUMS, Query, read_usage
from casedesk_proxy.store.file import explain, open_reader
from casedesk_proxy.store.schema import StoreError

__all__ = ["usage"]

_BAR_CHARS = 24
#: For the output and the prompt; and where the locale has no such characters.
_SHADES, _PLAIN_SHADES = ("█", "░"), ("#", "-")
_DATE = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


class _When(click.ParamType[float]):
    """A day or month, or a time ago: as seconds since 1970."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        try:
            if (date := _DATE.fullmatch(value)) is not None:
                year, month, day = (int(part or 1) for part in date.groups())
                return datetime(year, month, day, tzinfo=UTC).timestamp()
            return time.time() - parse_duration(value)
        except ValueError:
            self.fail(f"{value!r}: write 2026-11-29, 2026-11, or how long ago: 7d", param, context)


class _Dimensions(click.ParamType[tuple[str, ...]]):
    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(value.replace(",", " ").split()))
        if not names or (unknown := [name for name in names if name not in DIMENSIONS]):
            what = ", ".join(map(repr, unknown)) if names else "nothing"
            self.fail(f"{what}: choose from {', '.join(DIMENSIONS)}", param, context)
        return names


@click.command()
@state_options
@click.option("--by", type=_Dimensions(), default="key", show_default=True, metavar="NAME,…",
              help=f"Group by: {', '.join(DIMENSIONS)}. Times are UTC's.")  # fmt: skip
@click.option("--since", type=_When(), default=0.0, metavar="WHEN",
              help="Start: 2026-11-29, 2026-11, or how long ago, such as 7d.")  # fmt: skip
@click.option("--until", type=_When(), default=1e12, metavar="WHEN", help="Before then.")
@click.option("--key", metavar="NAME", help="Only what this key used.")
@click.option("--all-hosts", is_flag=True,
              help="Read the database of ledger.url, which several hosts share.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table",
              show_default=True,
              help="Output format; csv and json have the numbers in full.")  # fmt: skip
def usage(
    file: Path, state: Path | None, by: tuple[str, ...], since: float, until: float,
    key: str | None, all_hosts: bool, form: str,
) -> None:  # fmt: skip
    """Show who used what: requests and tokens, from the ledger. The proxy need not run. Exit code 0
    when there is something to show, 1 when there is nothing, 2 when the ledger cannot be read.
    """
    query = Query(by, since, until, key)
    groups = read_all_hosts(file, query) if all_hosts else _read_file(file, state, query)
    if form == "json":
        click.echo(json.dumps(groups, indent=2))
    elif form == "csv":
        write_table(_as_csv(by, groups))
    elif groups:
        _show(by, groups)
    else:
        click.echo("nothing was used in that time" + (f" by a key named {key}" if key else ""))
    raise click.exceptions.Exit(0 if groups else 1)


def _read_file(file: Path, state: Path | None, query: Query) -> list[dict[str, Any]]:
    path = find_state_file(file, state)
    try:
        with open_reader(path) as connection:
            return read_usage(connection, query)
    except (StoreError, OSError, sqlite3.Error) as error:
        fail(f"{path}: {explain(error)}")


def _as_csv(by: tuple[str, ...], groups: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, (*by, *SUMS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(groups)
    return text.getvalue()


def _show(by: tuple[str, ...], groups: list[dict[str, Any]]) -> None:
    console = open_console()
    table = make_table(*by)
    for name in ("requests", "failed", "prompt", "cached", "output"):
        table.add_column(name, justify="right")
    shades = _SHADES if can_print("".join(_SHADES)) else _PLAIN_SHADES
    table.add_column("{} output {} prompt".format(*shades))
    most = max(group["prompt"] + group["output"] for group in groups)
    for group in groups:
        names = [Text(make_harmless(str(group[name] or "-"))) for name in by]
        about = "~" if group["estimated"] else ""
        sums = [Text(f"{group[name]:,}") for name in ("requests", "failed", "prompt", "cached")]
        table.add_row(*names, *sums, Text(f"{about}{group['output']:,}"), _bar(group, most, shades))
    console.print(table)
    if estimated := sum(group["estimated"] for group in groups):
        console.print(
            Text(
                f"~ includes estimates for {estimated:,} request{'s' * (estimated != 1)}",
                style="dim",
            )
        )


def _bar(group: dict[str, Any], most: int, shades: tuple[str, str]) -> Text:
    """The prompt's tokens after those of the output, relative to the largest sum."""
    total = max(most, 1)
    output = round(_BAR_CHARS * group["output"] / total)
    whole = round(_BAR_CHARS * (group["prompt"] + group["output"]) / total)
    full, light = shades
    return Text.assemble((full * output, "green"), (light * (whole - output), "cyan"))
