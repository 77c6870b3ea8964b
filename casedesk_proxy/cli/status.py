"""``status``: the state of a running proxy, for people."""

from __future__ import annotations

import http.client
import json
import os
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from casedesk_proxy.cli.admin_client import ask
from casedesk_proxy.cli.instances import ask_all, combine, find_address
from casedesk_proxy.cli.options import running_proxy_options
from casedesk_proxy.cli.report import fail, make_table, open_console
from casedesk_proxy.config.complaints import ConfigError

__all__ = ["status"]

#: A certificate that expires within so many seconds should have been renewed.
_SOON_S = 14 * 86400.0
#: How many keys are shown.
_MAX_KEYS = 20
#: Added to the error where nothing listens on the configured address.
_INSTANCES = "; if instances run (casedesk-proxy@NAME), name the admin address of one with --admin"


@click.command()
@running_proxy_options
@click.option("--json", "as_json", is_flag=True, help="Print the proxy's JSON.")
def status(file: Path, admin: str | None, as_json: bool) -> None:
    """Show nodes, streams and queues of a running proxy.

    Its instances on this host are shown together. Exit code 0 when it is ready, 1 when it is not, 2
    when it cannot be reached.
    """
    try:
        address = find_address(file, admin, os.environ)
        status = _ask(address)
    except ConfigError as error:
        fail(error)
    except OSError as error:
        fail(f"{address}: {error.strerror}{'' if admin else _INSTANCES}")
    except (http.client.HTTPException, ValueError):
        fail(f"{address} is not the admin address of a CaseDesk Proxy")
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        console = open_console()
        _show(console, status, time.time())
    raise click.exceptions.Exit(0 if status.get("ready") else 1)


def _ask(address: str) -> dict[str, Any]:
    if (said := ask_all(address, "/status")) is not None:
        return combine(said)
    _, status = ask(address, "/status")
    if not isinstance(status, dict) or "nodes" not in status:
        raise ValueError("some other service")
    return status


def _show(console: Console, status: dict[str, Any], now: float) -> None:
    state, colour = "ready", "green"
    if status["draining"]:
        state, colour = "draining", "yellow"
    elif not status["ready"]:
        state, colour = "not ready", "red"
    up = _ago(status["started"], now)
    who = f"  CaseDesk Proxy {status['version']}, process {status['pid']}, up {up}"
    console.print(Text.assemble((state, f"bold {colour}"), who))
    console.print(Text(f"listens  {', '.join(status['listen'])}"))
    waiting = sum(status["waiting"].values())
    console.print(
        Text(f"serves   {status['streams']} streams, {waiting} waiting, "
             f"{status['connections']} connections")
    )  # fmt: skip
    config = status["config"]
    console.print(Text(f"config   loaded {_ago(config['loaded'], now)} ago"))
    if config["refusal"]:
        reason = f"refused {_ago(config['tried'], now)} ago: {config['refusal']}"
        console.print(Text(f"         {reason}", style="bold red"))
    if (until := status.get("certificate", {}).get("until")) is not None:
        console.print(_describe_certificate(until, now))
    kept = status.get("state")
    if kept and kept["fault"]:
        trouble = f"cannot be written: {kept['fault']}; {kept['waiting']} rows wait"
        console.print(Text(f"state    {kept['file']} {trouble}", style="bold red"))
    console.print()
    if len(instances := status.get("instances", {})) > 1:
        console.print(_instance_table(instances, now))
        console.print()
    console.print(_node_table(status["nodes"]))
    if keys := status.get("keys"):
        console.print()
        console.print(_key_table(keys))
    for name, node in status["nodes"].items():
        for sentence in node.get("advice", ()):
            console.print(Text(f"{name}: {sentence}", style="yellow"))
        for model, context in node.get("contexts", {}).items():
            if context["cut_to"]:
                console.print(Text(
                    f"{name}: prompts for {model} were cut to {context['cut_to']} tokens",
                    style="bold red",
                ))  # fmt: skip
        for model, controls in node.get("left_out", {}).items():
            left = f"{name}: {model} refuses thinking controls, which are left out: "
            console.print(Text(left + ", ".join(controls)))


def _describe_certificate(until: float, now: float) -> Text:
    if until <= now:
        text = f"TLS      the certificate expired {_ago(until, now)} ago"
        return Text(text, style="bold red")
    style = "yellow" if until - now < _SOON_S else ""
    return Text(f"TLS      the certificate expires in {_ago(now, until)}", style=style)


def _node_table(nodes: dict[str, dict[str, Any]]) -> Table:
    table = make_table("node", "state", "streams", "asked", "models", "last error")
    for name, node in nodes.items():
        limit = "" if node["limit"] is None else f" of {node['limit']}"
        models = node["models"]
        table.add_row(
            Text(name), _node_state(node), Text(f"{node['in_flight']}{limit}"),
            Text(str(node["asked"])), Text("unknown" if models is None else ", ".join(models)),
            Text(node["last_error"] or "", style="dim"),
        )  # fmt: skip
    return table


def _instance_table(instances: dict[str, dict[str, Any] | None], now: float) -> Table:
    table = make_table("instance", "state", "streams", "waiting", "connections", "process", "up")
    for name, one in instances.items():
        if one is None:
            table.add_row(Text(name), Text("does not answer", style="red"))
            continue
        state = "draining" if one["draining"] else "ready" if one["ready"] else "not ready"
        counts = (one["streams"], sum(one["waiting"].values()), one["connections"], one["pid"])
        table.add_row(Text(name), state, *map(str, counts), _ago(one["started"], now))
    return table


def _key_table(keys: dict[str, dict[str, int]]) -> Table:
    """The keys that used most since the proxy started; ``usage`` also shows earlier use."""
    table = make_table("key", "requests", "prompt tokens", "output tokens")
    for name, used in sorted(keys.items(), key=lambda one: -one[1]["output"])[:_MAX_KEYS]:
        sums = (used["exchanges"], used["prompt"], used["output"])
        table.add_row(Text(name), *(Text(f"{one:,}") for one in sums))
    return table


def _node_state(node: dict[str, Any]) -> Text:
    if node.get("hung"):
        return Text("hung", style="red")
    if not node["healthy"]:
        return Text("down", style="red")
    if node["draining"]:
        return Text("draining", style="yellow")
    if node["full"]:
        return Text("full", style="yellow")
    if node["full_for"]:
        return Text(f"full for {', '.join(node['full_for'])}", style="yellow")
    if node.get("lacks"):
        missing = dict.fromkeys(one["model"] for one in node["lacks"])
        return Text(f"lacks {', '.join(missing)}", style="yellow")
    return Text("up", style="green")


def _ago(then: float, now: float) -> str:
    """A duration in its two largest units."""
    seconds = max(int(now - then), 0)
    for size, unit, small, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // small} {part}"
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
