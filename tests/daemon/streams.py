"""Clients that stream and notice a single lost event."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from tests.fixtures import raw_client
from tests.fixtures.raw_client import RawClient

__all__ = ["Streamed", "ask", "read_words", "request", "stream"]


@dataclass(frozen=True, slots=True)
class Streamed:
    """``words`` in the order of their arrival; ``whole``: the message ended as HTTP and the
    protocol require."""

    status: int
    words: list[str]
    whole: bool
    tail: bytes
    head: str


def request(script: str, *headers: str, stream: bool = True) -> bytes:
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Count."}]}
    return raw_client.request("/v1/chat/completions", body, f"x-goog-simulator: {script}", *headers)


async def stream(
    port: int, script: str, begun: asyncio.Event | None = None, first: asyncio.Event | None = None
) -> Streamed:
    """One stream on a connection of its own. Raises OSError if no process accepts or answers it."""
    async with raw_client.connect(f"http://127.0.0.1:{port}") as client:
        client.write(request(script, "Connection: close"))
        if begun is not None:
            begun.set()
        return await read_stream(client, first)


async def read_stream(client: RawClient, first: asyncio.Event | None = None) -> Streamed:
    """The next reply, or as much of it as there is; ``first`` is set when its first chunk
    arrives."""
    await client.head()
    if first is not None:
        await client.until(lambda: len(client.unread) or None)
        first.set()
    reply = await client.reply()
    is_stream = reply.value("transfer-encoding") is not None
    whole = reply.complete and (not is_stream or reply.body.rstrip().endswith(b"[DONE]"))
    head = reply.head.decode()
    return Streamed(reply.status, read_words(reply.body), whole, reply.body[-400:], head)


def read_words(body: bytes) -> list[str]:
    text = ""
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:]).get("choices", ()):
                text += choice["delta"].get("content") or ""
    return text.split()


async def ask(port: int, script: str = "words=3") -> Streamed:
    """A short request, which is answered in one piece."""
    async with raw_client.connect(f"http://127.0.0.1:{port}") as client:
        client.write(request(script, "Connection: close", stream=False))
        return await read_stream(client)
