"""Bytes for a client, held until they are taken."""

from __future__ import annotations

__all__ = ["PendingBytes"]


class PendingBytes:
    """A writer appends to ``_out``; the next ``take`` returns it."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out: list[bytes] = []

    def take(self) -> bytes:
        out = self._out
        if not out:
            return b""
        due = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return due
