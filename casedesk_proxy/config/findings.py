"""What a check of a file's plain values finds wrong, before it is placed in the file."""

from __future__ import annotations

from dataclasses import dataclass

from casedesk_proxy.config.settings import Path

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``warns``: the file may be used all the same. ``at_key``: the name is at fault, not its
    value."""

    path: Path
    message: str
    remedy: str = ""
    warns: bool = False
    at_key: bool = False
