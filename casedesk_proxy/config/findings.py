"""Faults that a check finds in a file's plain values, before their place in the file is known."""

from __future__ import annotations

from dataclasses import dataclass

from casedesk_proxy.config.settings import Path

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``warns``: the file can be used nevertheless. ``at_key``: the fault is in the name, not in
    its value."""

    path: Path
    message: str
    remedy: str = ""
    warns: bool = False
    at_key: bool = False
