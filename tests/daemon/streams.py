"""Clients that stream, and notice a single lost event."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

__all__ = ["Streamed", "ask", "stream"]


@dataclass(frozen=True, slots=True)
class Streamed:
    """``words`` as they came; ``whole`` when the message ended as HTTP and the protocol say."""

    status: int
    words: list[str]
    whole: bool
    tail: bytes
    head: str


def request(script: str, *headers: str, stream: bool = True) -> bytes:
    body = json.dumps(
        {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Count."}]}
    ).encode()
    lines = [
        "POST /v1/chat/completions HTTP/1.1", "Host: t", "Content-Type: application/json",
        f"Content-Length: {len(body)}", f"x-goog-simulator: {script}", *headers, "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + body


async def stream(
    port: int, script: str, begun: asyncio.Event | None = None, first: asyncio.Event | None = None
) -> Streamed:
    """One stream on a connection of its own. Raises OSError where nobody accepts it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        writer.write(request(script, "Connection: close"))
        if begun is not None:
            begun.set()
        return await read_stream(reader, first)
    finally:
        writer.close()


async def read_stream(reader: asyncio.StreamReader, first: asyncio.Event | None = None) -> Streamed:
    """The rest of the connection, or up to the reply's end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, body = int(head.split(" ")[1]), b""
    whole = False
    try:
        if "chunked" in head.lower():
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
                if first is not None:
                    first.set()
            await reader.readuntil(b"\r\n")
            whole = body.rstrip().endswith(b"[DONE]")
        else:
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            body = await reader.readexactly(length)
            whole = True
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    return Streamed(status, _words(body), whole, body[-400:], head)


def _words(body: bytes) -> list[str]:
    text = ""
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:]).get("choices", ()):
                text += choice["delta"].get("content") or ""
    return text.split()


async def ask(port: int, script: str = "words=3") -> Streamed:
    """A short request that is answered in one piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request(script, "Connection: close", stream=False))
        return await read_stream(reader)
    finally:
        writer.close()
