"""A gateway and a node, every answer of which a test decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.terms import Control
from tests.fixtures import raw_client
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.sinks import Sinks
from tests.server.gateways import staged

__all__ = ["CONFIG", "HI", "Judge", "Table", "table"]

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
  n:
    {{url: "http://127.0.0.1:{port}", engine: {engine}, speaks: {speaks}, {models}
    probe_interval: 0{node}}}
deployments:
  d: {{nodes: [n], auth: none{deployment}}}
"""
#: An error document, or None where the request is to be answered.
Judge = Callable[[dict[str, Any]], tuple[int, object] | None]

HI = {"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "hi"}]}
SAID = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


class Table:
    """A gateway, its node, and the requests to the node. ``sinks`` get the exchanges."""

    def __init__(
        self, gateway: Gateway, port: int, asked: list[dict[str, Any]], sinks: Sinks
    ) -> None:
        self.gateway = gateway
        self.sinks = sinks
        self.port = port
        self.asked = asked
        self.clients: list[raw_client.RawClient] = []

    @property
    def sent(self) -> dict[str, Any]:
        return self.asked[-1]

    async def begin(self, path: str, body: dict[str, Any]) -> raw_client.RawClient:
        """Send a request; the caller reads the reply. The connection ends with the table."""
        client = await raw_client.open_client(self.gateway.urls[0])
        self.clients.append(client)
        client.write(_request(path, body))
        return client

    async def ask(self, path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
        """Returns the status, the names of fields that were left out, and the body."""
        reply = await raw_client.ask(self.gateway.urls[0], _request(path, body))
        dropped = reply.value("x-casedesk-dropped") or b""
        return reply.status, dropped.decode("latin-1"), reply.body

    async def anthropic(self, **more: Any) -> tuple[int, str, bytes]:
        return await self.ask("/v1/messages", HI | more)

    async def gemini(self, *, stream: bool = False, **thinking: Any) -> tuple[int, str, bytes]:
        action = "streamGenerateContent?alt=sse" if stream else "generateContent"
        body = {"contents": [{"parts": [{"text": "hi"}]}],
                "generationConfig": {"thinkingConfig": thinking}}  # fmt: skip
        return await self.ask(f"/v1beta/models/m:{action}", body)

    def reload(self, text: str) -> None:
        config = load_config(text, "x.yaml").config
        self.gateway.apply(self.gateway.compile(config, {}))

    @property
    def refused(self) -> frozenset[Control]:
        return self.gateway.dispatcher.control_memory.refused.get(("n", "m"), frozenset())


def _request(path: str, body: dict[str, Any]) -> bytes:
    return raw_client.request(path, body, "anthropic-version: 2023-06-01")


@asynccontextmanager
async def table(
    judge: Judge = lambda asked: None,
    engine: str = "vllm",
    *,
    node: str = "",
    speaks: str = "[openai]",
    facts: Mapping[str, object] | None = None,
    said: bytes = SAID,
    count: int = 0,
    status: int = 200,
    deployment: str = "",
    gate: asyncio.Event | None = None,
) -> AsyncIterator[Table]:
    """``judge`` returns the status and the body of a refusal; with status 200 the body is the first
    event of a stream. ``facts``: the node's answers about itself, by path; None: its only model is
    configured. ``said``: the events of an answer; ``count``: the answer of /tokenize, if not 0;
    ``status``: that of answers.
    ``gate``: the node answers nothing before it is set."""
    asked: list[dict[str, Any]] = []

    async def play(connection: NodeConnection) -> None:
        while True:
            request = await connection.request()
            path, body = request.target, request.body
            if facts is not None and path in facts:
                text = json.dumps(facts[path]).encode()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                await connection.send(head + b"Content-Length: %d\r\n\r\n" % len(text) + text)
                continue
            counts = count and path == "/tokenize"
            if not body or not (counts or path.startswith("/v1/")):
                await connection.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
                continue
            asked.append({"path": path, **json.loads(body)})
            if gate is not None:
                await gate.wait()
            refusal = judge(asked[-1])
            kind, code, text = "text/event-stream", status, said
            if not asked[-1].get("stream"):
                kind = "application/json"
            if counts:
                kind, text = "application/json", b'{"count": %d}' % count
            if refusal is not None:
                code, text = refusal[0], json.dumps(refusal[1]).encode()
                text = b"data: " + text + b"\n\n" if code == 200 else text
                kind = "text/event-stream" if code == 200 else "application/json"
            await connection.send(
                f"HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(text)}\r\n\r\n".encode()
                + text
            )

    async with staged(play) as stage:
        [(_, port, *_)] = stage.gateway.dispatcher._pools
        models = "models: [m]," if facts is None else ""
        text = CONFIG.format(
            port=port, engine=engine, node=node, speaks=speaks, models=models,
            deployment=deployment,
        )  # fmt: skip
        sinks = Sinks()
        gateway = Gateway(load_config(text, "x.yaml").config, {}, sinks=(sinks,))
        await gateway.start()
        here = Table(gateway, port, asked, sinks)
        try:
            yield here
        finally:
            for client in here.clients:
                await client.end()
            await gateway.stop()
