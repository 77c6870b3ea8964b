"""A proxy in the test's loop with a raw node: what both ends of a relay see, byte by byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from casedesk_proxy.telemetry.accesslog import Sink
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.raw_client import request
from tests.fixtures.raw_node import RawNode, Step, raw_node

#: Where each surface asks for a stream, and a body that does.
STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemini": ("/proxy/d/gemini/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": []}),
    "array": ("/proxy/d/gemini/v1beta/models/m:streamGenerateContent", {"contents": []}),
    "anthropic": ("/proxy/d/anthropic/v1/messages", {"model": "m", "stream": True}),
    # It asks for its counts, and so has every byte as the node wrote it.
    "openai": (
        "/proxy/d/openai/v1/chat/completions",
        {"model": "m", "stream": True, "stream_options": {"include_usage": True}},
    ),
    # The node is asked for counts all the same, and what it tells of them is taken out again.
    "unasked": ("/proxy/d/openai/v1/chat/completions", {"model": "m", "stream": True}),
}
UNARY: dict[str, tuple[str, dict[str, Any]]] = {
    "gemini": ("/proxy/d/gemini/v1beta/models/m:generateContent", {"contents": []}),
    "anthropic": ("/proxy/d/anthropic/v1/messages", {"model": "m"}),
    "openai": ("/proxy/d/openai/v1/chat/completions", {"model": "m"}),
}


def asking(kind: tuple[str, dict[str, Any]]) -> bytes:
    return request(kind[0], kind[1], "anthropic-version: 2023-06-01")


@asynccontextmanager
async def relay(
    *steps: bytes | Step,
    server: dict[str, Any] | None = None,
    deployment: dict[str, Any] | None = None,
    key: str | None = None,
    sinks: Sequence[Sink] = (),
    **node: Any,
) -> AsyncIterator[tuple[RunningGateway, RawNode]]:
    """An open deployment ``d`` with one model ``m`` at a raw node, see raw_node for ``steps``; the
    node requires ``key``. ``sinks`` get every exchange."""
    async with raw_node(*steps) as behind:
        settings = {
            "url": behind.url,
            "engine": "openai",
            "speaks": ["gemini", "anthropic", "openai"],
            "models": ["m"],
            **node,
        }
        config = {
            "server": server or {},
            "nodes": {"n": settings},
            "deployments": {"d": {"nodes": ["n"], "auth": "none", **(deployment or {})}},
        }
        async with proxy_here(config, {"n": key} if key else {}, sinks=sinks) as gateway:
            yield gateway, behind
