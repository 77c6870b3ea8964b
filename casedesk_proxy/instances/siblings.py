"""Asks all instances of a host one question, through sockets beside the table that they share.

Each serves its admin pages on a Unix socket named after its row. The socket's file permissions
decide who may ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from casedesk_proxy.instances.table import HostTable

__all__ = ["Siblings", "socket_of"]

#: Seconds that an instance may take; an instance that hangs is shown as such.
_ANSWER_WAIT_S = 2.0
_MAX_ANSWER_BYTES = 32 << 20


def socket_of(directory: Path, row: int) -> Path:
    """The socket of the instance of a row."""
    return directory / f"{row}.sock"


class Siblings:
    """``address``: the socket of this instance."""

    def __init__(self, table: HostTable, *, answer_wait_s: float = _ANSWER_WAIT_S) -> None:
        self._table = table
        self._answer_wait_s = answer_wait_s

    @property
    def address(self) -> str:
        return f"unix:{socket_of(self._table.directory, self._table.row)}"

    async def ask(self, path: str) -> Mapping[str, bytes | None]:
        """The answer of each instance to a GET, this one included; None if there is none in time.
        By name, in the order of rows."""
        table = self._table
        rows = sorted((table.row, *table.others))
        names: list[str] = []
        for row in rows:
            name = table.name(row)
            names.append(f"{name}-{table.pid(row)}" if name in names else name)
        answers = await asyncio.gather(*(self._ask(row, path) for row in rows))
        return dict(zip(names, answers, strict=True))

    async def _ask(self, row: int, path: str) -> bytes | None:
        try:
            async with asyncio.timeout(self._answer_wait_s):
                return await _get(socket_of(self._table.directory, row), path)
        except (OSError, TimeoutError, ValueError):
            return None


async def _get(socket: Path, path: str) -> bytes:
    """The body of a 200. Raises OSError and ValueError."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        found = bytearray()
        while data := await reader.read(65536):
            found += data
            if len(found) > _MAX_ANSWER_BYTES:
                raise ValueError("it says too much")
    finally:
        writer.close()
    head, between, body = bytes(found).partition(b"\r\n\r\n")
    if not between or head.split(b" ", 2)[1:2] != [b"200"]:
        raise ValueError("it does not answer that")
    return body
