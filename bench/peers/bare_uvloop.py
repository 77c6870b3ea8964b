"""The least that a relay through uvloop can cost: it copies both ways and knows no HTTP.

python bench/peers/bare_uvloop.py --port PORT --to NODEPORT
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """What arrives here is written to the other side."""

    __slots__ = ("_other", "_write", "transport")

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._other: Side | None = None
        self._write = self.keep

    def keep(self, data: bytes) -> None:
        """There is no other side yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def join(self, other: Side) -> None:
        self._other, self._write = other, other.transport.write

    def data_received(self, data: bytes) -> None:
        self._write(data)

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None:
            self._other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._other is not None:
            self._other.transport.close()


class Client(Side):
    """What it says before its node's connection is open waits."""

    __slots__ = ("_early", "_opening", "_to")

    def __init__(self, to: int) -> None:
        super().__init__()
        self._to, self._early = to, b""

    def keep(self, data: bytes) -> None:
        self._early += data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, node = await loop.create_connection(Side, "127.0.0.1", self._to)
        self.join(node)
        node.join(self)
        self._write(self._early)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True)
    chosen = parser.parse_args()
    server = await asyncio.get_running_loop().create_server(
        lambda: Client(chosen.to), "127.0.0.1", chosen.port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
