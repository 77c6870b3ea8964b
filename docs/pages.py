"""The pages of the documentation that are made from the code: `make pages` writes them again.

A test compares them with the output of this module, so that none is out of date.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric

from casedesk_proxy.config.json_schema import config_schema
from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway

sys.path.insert(0, str(Path(__file__).parent))
from error_catalogue import write_errors

__all__ = ["PAGES", "write_pages"]

FOLDER = Path(__file__).parent
_CONFIG = 'nodes: {n: {url: "http://127.0.0.1:9"}}\ndeployments: {d: {nodes: [n]}}'
_DURATIONS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_RULE = "|---|---|---|---|"
#: The key of a section of names, or of a list, in a path.
_ANY = "NAME"


def write_configuration() -> str:
    schema = config_schema()
    parts = [
        "# Configuration reference\n\nEvery key of the configuration file. Written by `make pages`"
        " from the schema that the program reads.\n\n[config/casedesk-proxy.yaml]"
        "(../config/casedesk-proxy.yaml) is the same as a file that loads, with more words on each"
        " key.\nSizes take `KiB`, `MiB`, `GiB` or bytes; durations `ms`, `s`, `m`, `h`, `d`, also"
        " joined: `1h30m`. *Reload* says whether a running proxy takes a change."
    ]
    for name, value in schema["properties"].items():
        rows = list(_rows(schema["$defs"], name, value))
        head = f"## `{name}`\n\n{_text(value)}\n"
        parts.append("\n".join([head, "| key | default | reload | meaning |", _RULE, *rows]))
    return "\n\n".join(parts) + "\n"


def _rows(known: Mapping[str, Any], path: str, value: Mapping[str, Any]) -> Iterator[str]:
    """A line for each key without keys of its own, in the order of the schema."""
    section, path = _section(known, path, value)
    if section is None:
        reload = "yes" if value.get("reload", True) else "restart"
        yield f"| `{path}` | {_default(value)} | {reload} | {_cell(_text(value))} |"
        return
    for name, inner in section["properties"].items():
        yield from _rows(known, f"{path}.{name}", inner)


def _section(
    known: Mapping[str, Any], path: str, value: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, str]:
    """The content of a key that is a section, or that has several by name or in a list."""
    for one in (value, *value.get("anyOf", ())):
        inner, inside = one, path
        if isinstance(named := one.get("additionalProperties"), dict):
            inner, inside = named, f"{path}.{_ANY}"
        elif isinstance(listed := one.get("items"), dict):
            inner, inside = listed, f"{path}[]"
        for choice in (inner, *inner.get("anyOf", ())):
            name = choice.get("$ref", "").rpartition("/")[2]
            # Changes in requests are described once, with aliases.
            found = None if name == "ParameterRules" else known.get(name)
            if found is not None and "properties" in found:
                return found, inside
    return None, path


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value:
        return "required"
    default = value["default"]
    if default is None or default in ("", [], {}):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    patterns = str(value)
    if isinstance(default, int | float) and default:
        units = _DURATIONS if "ms|s|m" in patterns else _SIZES if "[KkMmGg]" in patterns else ()
        for size, unit in units:
            if default % size == 0:
                return f"{int(default // size)}{unit}"
        return f"{default:g}" if isinstance(default, float) else str(default)
    if isinstance(default, list):
        return ", ".join(map(str, default))
    return f"`{default}`" if isinstance(default, str) else str(default)


def _text(value: Mapping[str, Any]) -> str:
    return str(value.get("description", ""))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def write_metrics() -> str:
    lines = [
        "# Metrics\n\nWhat `/metrics` on the admin listener shows, in Prometheus' text form."
        " Written by `make pages`. [config/grafana/](../config/grafana/) has a dashboard and"
        " alert rules.\n"
        "\nA counter's name ends in `_total` on the wire, a histogram's in `_bucket`, `_sum` and"
        " `_count`. `process_…` are those of every Prometheus client.\n",
        "| metric | kind | labels | meaning |",
        _RULE,
    ]
    for metric in asyncio.run(_collect()):
        labels = ", ".join(f"`{label}`" for label in getattr(metric, "_labelnames", ()))
        meaning = _cell(metric.documentation)
        lines.append(f"| `{metric.name}` | {metric.type} | {labels} | {meaning} |")
    return "\n".join(lines) + "\n"


async def _collect() -> list[Metric]:
    gateway = Gateway(load_config(_CONFIG, "pages.yaml").config, {})
    found = gateway.metrics.registry.collect()
    return [metric for metric in found if metric.name.startswith("casedesk_")]


#: The function that writes each file.
PAGES = {
    "configuration.md": write_configuration,
    "error-codes.md": write_errors,
    "metrics.md": write_metrics,
}


def write_pages() -> None:
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write())


if __name__ == "__main__":
    write_pages()
