"""A gateway before several nodes, each played byte by byte or by one of the ways to fail below."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from casedesk_proxy.config.load import load_config
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.server.app import Gateway
from tests.server.gateways import NodeSide, Play, Stage, read_head

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
{nodes}
deployments:
  d: {{nodes: [{names}], auth: {auth}{deployment}}}
tokens:
{tokens}
"""
NODE = (
    '  {name}: {{url: "{url}", engine: openai, speaks: [{speaks}],'
    " models: [m], probe_interval: 0{more}}}"
)


@dataclass
class Member:
    """A node of the pool. Without ``play`` nobody listens at its address. ``sides`` are its
    connections in order."""

    name: str
    play: Play | None
    more: str = ""
    speaks: str = "gemini, anthropic, openai"
    sides: list[NodeSide] = field(default_factory=list)
    listener: asyncio.Server | None = None
    port: int = 0
    players: set[asyncio.Task[None]] = field(default_factory=set)

    async def begin(self) -> None:
        """Listen; again at the same port after an ``end``."""
        if self.play is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            return
        self.listener = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, limit=2**24
        )
        self.port = self.listener.sockets[0].getsockname()[1]

    async def end(self) -> None:
        """As a process that is killed: the port is closed and every connection reset."""
        if self.listener is not None:
            self.listener.close()
        for side in self.sides:
            side.writer.transport.abort()
        for player in self.players:
            player.cancel()
        await asyncio.gather(*self.players, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = NodeSide(reader, writer)
        self.sides.append(side)
        player = asyncio.ensure_future(self._perform(side))
        self.players.add(player)
        player.add_done_callback(self.players.discard)

    async def _perform(self, side: NodeSide) -> None:
        assert self.play is not None
        try:
            await self.play(side)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            side.writer.close()
            side.gone.set()


@dataclass
class PoolStage(Stage):
    members: dict[str, Member] = field(default_factory=dict)
    seen: list[ExchangeRecord] = field(default_factory=list)

    async def outcome(self, count: int = 1) -> ExchangeRecord:
        """The outcome that is number ``count``, as soon as it is told."""
        async with asyncio.timeout(5):
            while len(self.seen) < count:
                await asyncio.sleep(0.001)
        return self.seen[count - 1]

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own; the whole reply, as far as it comes."""
        reader, writer = await self.connect()
        writer.write(request)
        status, headers = await read_head(reader)
        length = headers.get("content-length")
        body = await (reader.read() if length is None else reader.readexactly(int(length)))
        return status, headers, body

    async def quiet(self) -> None:
        """Until every slot is given back."""
        async with asyncio.timeout(5):
            while self.in_flight() or self.gateway.dispatcher.slots.admission.has_waiting:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def pooled(
    *members: Member, deployment: str = "", tokens: dict[str, str] | None = None
) -> AsyncIterator[PoolStage]:
    """``deployment``: more keys, after a comma. ``tokens``: hashes by name; none: open to all."""
    for member in members:
        await member.begin()
    text = CONFIG.format(
        nodes="\n".join(
            NODE.format(
                name=one.name, url=f"http://127.0.0.1:{one.port}", speaks=one.speaks, more=one.more
            )
            for one in members
        ),
        names=", ".join(one.name for one in members),
        auth="tokens" if tokens else "none",
        deployment=deployment,
        tokens="\n".join(
            f'  - {{name: {name}, sha256: "{digest}", deployments: [d]}}'
            for name, digest in (tokens or {}).items()
        )
        or "  []",
    )
    seen: list[ExchangeRecord] = []
    gateway = Gateway(load_config(text, "pool.yaml").config, {}, sinks=(seen.append,))
    await gateway.start()
    port = int(gateway.urls[0].rsplit(":", 1)[1])
    stage = PoolStage(gateway, port, [], seen=seen, members={one.name: one for one in members})
    try:
        yield stage
    finally:
        for writer in stage.clients:
            writer.transport.abort()
        await gateway.stop()
        for member in members:
            await member.end()
