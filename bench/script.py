"""The common part of the scripts: options, the choice of relays and cores, the destination of
results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.engine.build import BuildFailed, Engines, build
from bench.engine.process import EngineFailed
from bench.stage import Cores, Tell
from bench.targets import PROXY_COMMAND, TARGETS

__all__ = ["Common", "deliver", "running", "take_common", "with_common_options", "with_nice"]

ALWAYS = ("proxy", "nginx", "floor")
#: The proxy in other ways: for questions about itself, no peers.
_OURS = {"transposed", "uncorked", "unbooked", "limited", "other", "proxy-tls-loop"}

with_nice = click.option(
    "--nice", default=-10, show_default=True, help="Priority; below 0 as root only."
)


@dataclass(frozen=True, slots=True)
class Common:
    """The options of every script, checked."""

    targets: tuple[str, ...]
    cores: Cores
    nice: int
    proxy_command: str
    json: Path | None
    markdown: Path | None


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    extra = tuple(name for name in TARGETS if name not in ALWAYS)
    for option in reversed(
        (
            click.option(
                "--with",
                "extra",
                multiple=True,
                help=f"More relays, comma between: {', '.join(extra)}, or all.",
            ),
            click.option("--without", multiple=True, help="Fewer relays, comma between."),
            click.option(
                "--load-core", type=int, help="Core of node and clients; default: the first."
            ),
            click.option(
                "--target-core", type=int, help="Core of the relays; default: the second."
            ),
            with_nice,
            click.option(
                "--proxy-command", default=PROXY_COMMAND, help="With {config}, {port}, {node_port}."
            ),
            click.option(
                "--json", type=click.Path(path_type=Path), help="Raw rounds and versions."
            ),
            click.option("--markdown", type=click.Path(path_type=Path), help="The table, too."),
        )
    ):
        command = option(command)
    return command


def take_common(options: dict[str, Any]) -> Common:
    """Take the common options out of ``options``. Raises EngineFailed without two cores."""
    cores = sorted(os.sched_getaffinity(0))
    given = (options.pop("load_core"), options.pop("target_core"))
    if len(cores) < 2 and None in given:
        raise EngineFailed("two cores are needed, or name them: --load-core, --target-core")
    load, target = (cores[place] if core is None else core for place, core in enumerate(given))
    extra, without = (_split(options.pop(name)) for name in ("extra", "without"))
    if "all" in extra:
        extra = (extra - {"all"}) | (TARGETS.keys() - _OURS)
    wanted = ({*ALWAYS} | extra) - without
    return Common(
        targets=tuple(name for name in TARGETS if name in wanted),
        cores=Cores(load, target),
        nice=options.pop("nice"),
        proxy_command=options.pop("proxy_command"),
        json=options.pop("json"),
        markdown=options.pop("markdown"),
    )


def _split(values: tuple[str, ...]) -> set[str]:
    names = {name.strip() for value in values for name in value.split(",") if name.strip()}
    if unknown := names - TARGETS.keys() - {"all"}:
        raise click.BadParameter(f"no such relay: {', '.join(sorted(unknown))}; there are"
                                 f" {', '.join(TARGETS)}")  # fmt: skip
    return names


@contextmanager
def running() -> Iterator[tuple[Engines, Tell]]:
    """The engines, and a progress bar; if nothing can be measured, the script ends with code 2."""
    bar = Progress(
        TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, refresh_per_second=2,
    )  # fmt: skip
    try:
        with bar:
            task = bar.add_task("building", total=1.0)
            yield build(), lambda what, done: bar.update(task, description=what, completed=done)
    except (BuildFailed, EngineFailed, OSError) as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None


def deliver(common: Common, text: str, facts: dict[str, Any]) -> None:
    """Print the table and write it and the facts to the requested files."""
    click.echo(text)
    for path, content in ((common.json, json.dumps(facts) + "\n"), (common.markdown, text)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
