"""Prometheus' own checker, installed if it is missing."""

from __future__ import annotations

import functools

from bench.installation import find_debian

__all__ = ["promtool"]


@functools.cache
def promtool() -> str:
    """The path of promtool, which is in Debian's package prometheus."""
    return find_debian("promtool", "prometheus")
