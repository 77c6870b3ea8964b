"""A gateway with several nodes, each played byte by byte or failing in one of the ways below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from casedesk_proxy.config.load import load_config
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.waits import WAITS, Waits
from tests.fixtures import raw_client
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import Play, RawNode
from tests.server.gateways import Stage

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
{nodes}
deployments:
  d: {{nodes: [{names}], auth: {auth}{deployment}}}
keys:
{keys}
"""
NODE = (
    '  {name}: {{url: "{url}", engine: {engine}, speaks: [{speaks}],'
    " models: [m], probe_interval: 0{more}}}"
)


class Member(RawNode):
    """A node of the pool. Without ``play`` its address refuses connections."""

    def __init__(
        self,
        name: str,
        play: Play | None,
        more: str = "",
        speaks: str = "gemini, anthropic, openai",
        engine: str = "openai",
    ) -> None:
        super().__init__(play)
        self.engine = engine
        self.name = name
        self.more = more
        self.speaks = speaks

    async def begin(self) -> None:
        await super().begin()
        if self.play is None:
            await self.end()


@dataclass
class PoolStage(Stage):
    members: dict[str, Member] = field(default_factory=dict)
    seen: list[ExchangeRecord] = field(default_factory=list)

    async def outcome(self, count: int = 1) -> ExchangeRecord:
        """The outcome with the number ``count``, as soon as it is recorded."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.seen) < count:
                await asyncio.sleep(0.001)
        return self.seen[count - 1]

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """One request on a new connection; returns the whole reply, or its received part. A body
        without a length is given as on the wire, up to the connection's end."""
        async with raw_client.connect(self.gateway.urls[0]) as client:
            client.write(request)
            head = await client.head()
            if head.value("content-length") is not None:
                return head.status, head.fields, (await client.reply()).body
            await client.until_gone()
            return head.status, head.fields, client.unread

    async def quiet(self) -> None:
        """Wait until every slot is released."""
        async with asyncio.timeout(PATIENCE_S):
            while self.in_flight() or self.gateway.dispatcher.slots.admission.has_waiting:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def pooled(
    *members: Member,
    deployment: str = "",
    keys: dict[str, str] | None = None,
    waits: Waits = WAITS,
) -> AsyncIterator[PoolStage]:
    """``deployment``: more settings, after a comma. ``keys``: hashes by name; none: open to all."""
    for member in members:
        await member.begin()
    text = CONFIG.format(
        nodes="\n".join(
            NODE.format(
                name=one.name, url=one.url, engine=one.engine, speaks=one.speaks, more=one.more
            )
            for one in members
        ),
        names=", ".join(one.name for one in members),
        auth="keys" if keys else "none",
        deployment=deployment,
        keys="\n".join(
            f'  - {{name: {name}, sha256: "{digest}", deployments: [d]}}'
            for name, digest in (keys or {}).items()
        )
        or "  []",
    )
    seen: list[ExchangeRecord] = []
    gateway = Gateway(load_config(text, "pool.yaml").config, {}, sinks=(seen.append,), waits=waits)
    await gateway.start()
    port = int(gateway.urls[0].rsplit(":", 1)[1])
    stage = PoolStage(gateway, port, [], seen=seen, members={one.name: one for one in members})
    try:
        yield stage
    finally:
        for client in stage.clients:
            await client.end()
        await gateway.stop()
        for member in members:
            await member.end()
