"""A gateway in this process, with a node that is played byte by byte."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.waits import WAITS, Waits
from tests.fixtures.raw_client import RawClient, open_client
from tests.fixtures.raw_node import NodeConnection, Play, raw_node
from tests.fixtures.sinks import Sinks

#: Nothing probes the node: it would be one connection more.
CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false{server}}}
default_deployment: d
nodes:
  n:
    {{url: "{url}", engine: openai, speaks: {speaks}, models: [m],
    probe_interval: 0{node}}}
deployments:
  d: {{nodes: [n], auth: none{deployment}}}
"""


@dataclass
class Stage:
    """A gateway and its node. ``connections`` are the node's, in order; ``sinks`` get the gateway's
    exchanges."""

    gateway: Gateway
    port: int
    connections: list[NodeConnection]
    clients: list[RawClient] = field(default_factory=list)
    sinks: Sinks = field(default_factory=Sinks)

    async def connect(self) -> RawClient:
        """A client's connection, closed at the latest with the stage."""
        self.clients.append(await open_client(self.gateway.urls[0]))
        return self.clients[-1]

    def in_flight(self) -> int:
        return sum(state.in_flight for state in self.gateway.dispatcher.slots.states.values())


@asynccontextmanager
async def staged(
    play: Play,
    *,
    server: str = "",
    node: str = "",
    deployment: str = "",
    speaks: str = "[gemini, anthropic, openai]",
    waits: Waits = WAITS,
) -> AsyncIterator[Stage]:
    """Each connection to the node is passed to ``play``; an error there ends that connection."""
    async with raw_node(play=play) as behind:
        text = CONFIG.format(
            url=behind.url,
            speaks=speaks,
            server=server,
            node=node,
            deployment=deployment,
        )
        sinks = Sinks()
        gateway = Gateway(load_config(text, "stage.yaml").config, {}, sinks=(sinks,), waits=waits)
        await gateway.start()
        port = int(gateway.urls[0].rsplit(":", 1)[1])
        stage = Stage(gateway, port, behind.connections, sinks=sinks)
        try:
            yield stage
        finally:
            for client in stage.clients:
                await client.end()
            await gateway.stop()


_STREAMS = b',"stream":true,"stream_options":{"include_usage":true}'


def chat(*, stream: bool = True, extra: str = "", version: str = "1.1") -> bytes:
    # A client that asks for its counts has every byte of its stream, chunks included.
    body = b'{"model":"m"%b}' % (_STREAMS if stream else b"")
    return (
        f"POST /v1/chat/completions HTTP/{version}\r\nHost: h\r\n{extra}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
