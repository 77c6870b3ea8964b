"""Metrics of several instances as one text: each sample with the label ``instance``."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["merge_metrics"]


def merge_metrics(texts: Mapping[str, bytes]) -> bytes:
    """``texts``: Prometheus' text format, by the instance's name. Samples of one metric are put
    together, as the format requires, after the first instance's description of it."""
    families: dict[str, list[str]] = {}
    for instance, text in texts.items():
        label = f'instance="{_escape(instance)}"'
        lines: list[str] = []
        described = False
        for line in text.decode().splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                described = name in families
                lines = families.setdefault(name, [])
            if not line.startswith("#"):
                lines.append(_with_label(line, label))
            elif not described:
                lines.append(line)
    return "".join(f"{line}\n" for lines in families.values() for line in lines).encode()


def _with_label(sample: str, label: str) -> str:
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f"{name}{{{label},{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
