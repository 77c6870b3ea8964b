"""Sizes and durations as people write them: ``32MiB``, ``10m``, ``1h30m``, ``500ms``.

Both functions raise ValueError with a message that says what is wrong and shows a valid form.
"""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["MAX_DURATION_S", "parse_duration", "parse_size"]

#: Seconds in a year; longer timers overflow uvloop's milliseconds or are mistakes.
MAX_DURATION_S = 365 * 86400.0
#: The largest size in bytes that is not a mistake: 1 TiB.
MAX_SIZE_BYTES = 2**40

SIZE_UNITS = {
    "": 1, "b": 1,
    "kb": 1000, "mb": 1000**2, "gb": 1000**3,
    "kib": 1024, "mib": 1024**2, "gib": 1024**3,
}  # fmt: skip
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

# Limited digits, so that hostile numbers cost no time.
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?([A-Za-z]*)", re.ASCII)
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|s|m|h|d)", re.ASCII)
_PLAIN = re.compile(r"\d{1,12}(?:\.\d{1,12})?", re.ASCII)


def parse_size(value: object) -> int:
    """Bytes, from a whole number or from text with a unit (decimal kB, binary KiB)."""
    if isinstance(value, str):
        value = _read_size(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a size: write bytes, or for example 32MiB")
    if not 1 <= value <= MAX_SIZE_BYTES:
        raise ValueError("must be between 1 byte and 1024GiB")
    return value


def parse_duration(value: object) -> float:
    """Seconds, from a number or from text with units."""
    if isinstance(value, str):
        value = _read_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a duration: write seconds, or for example 500ms, 10m or 1h30m")
    if not 0 <= value <= MAX_DURATION_S:
        raise ValueError("must be between 0 and 365d")
    return float(value)


def _read_size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a size: write bytes, or for example 32MiB")
    number, unit = match.groups()
    factor = SIZE_UNITS.get(unit.lower())
    if factor is None:
        # "m" is binary in nginx, decimal in a shell: an error is better than a guess.
        raise ValueError(f"has an unknown unit {unit!r}: use B, kB, MB, GB, KiB, MiB or GiB")
    return int(Decimal(number) * factor)


def _read_duration(text: str) -> float:
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    total, end = Decimal(0), 0
    while match := _DURATION.match(text, end):
        total += Decimal(match[1]) * MILLISECONDS[match[2]]
        end = match.end()
    if not text or end != len(text):
        raise ValueError("is not a duration: write seconds, or for example 500ms, 10m or 1h30m")
    return float(total / 1000)
