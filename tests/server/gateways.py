"""A gateway in this process, before a node that is played byte by byte."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.waits import WAITS, Waits
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
    """A gateway and its node. ``connections`` are the node's, in order; ``sinks`` hear of the
    gateway's exchanges."""

    gateway: Gateway
    port: int
    connections: list[NodeConnection]
    clients: list[asyncio.StreamWriter] = field(default_factory=list)
    sinks: Sinks = field(default_factory=Sinks)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client's connection, closed at the latest with the stage."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        self.clients.append(writer)
        return reader, writer

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
    """Each connection to the node is given to ``play``; errors there end that connection."""
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
            for writer in stage.clients:
                writer.transport.abort()
            await gateway.stop()


def leave(writer: asyncio.StreamWriter, how: str) -> None:
    """A client goes: by close, reset or half-close."""
    if how == "half-close":
        writer.write_eof()
        return
    if how == "reset":
        # Without this an abort, too, ends in a FIN.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


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


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.strip().split("\r\n")
    pairs = (text.split(": ", 1) for text in fields)
    return int(line.split(" ")[1]), {name.lower(): value for name, value in pairs}


async def read_raw_chunked(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A chunked body as it stood on the wire, and what it carried."""
    raw, body = b"", b""
    while True:
        line = await reader.readuntil(b"\r\n")
        raw += line
        size = int(line.split(b";")[0], 16)
        if size:
            data = await reader.readexactly(size + 2)
            raw, body = raw + data, body + data[:-2]
            continue
        while True:
            line = await reader.readuntil(b"\r\n")
            raw += line
            if line == b"\r\n":
                return raw, body
