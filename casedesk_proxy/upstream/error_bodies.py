"""The body of a node's error reply, read to decide whether the node or the request is at fault."""

from __future__ import annotations

import asyncio

from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.bodies import BodyReader, body_reader
from casedesk_proxy.wire.chunked import MalformedChunk
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["REMAINDER_WAIT_S", "read_words"]

#: Seconds to wait for the rest of the body; usually all of it came with its head.
REMAINDER_WAIT_S = 1.0


async def read_words(
    loop: asyncio.AbstractEventLoop,
    connection: NodeConnection,
    head: ResponseHead,
    within_s: float = REMAINDER_WAIT_S,
) -> bytes:
    """The content of the body that arrives ``within_s``, up to MAX_ERROR_BYTES. The raw bytes
    remain in ``connection.buffered_body``. A caller that is cancelled must abort the connection."""
    words = _Words(loop, body_reader(head))
    words.data_received(connection.buffered_body)
    if words.whole.done():
        return bytes(words.body)
    connection.buffered_body = b""
    if connection.attach(words) is None:
        words.connection_lost(connection.lost_by)
    timer = loop.call_later(within_s, words.stop)
    try:
        await words.whole
    finally:
        timer.cancel()
    connection.detach()
    connection.buffered_body = bytes(words.raw)
    if words.lost:
        connection.connection_lost(words.lost_by)
    return bytes(words.body)


class _Words(asyncio.Protocol):
    """``raw`` is what arrived, ``body`` its content."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: BodyReader) -> None:
        self.whole: asyncio.Future[None] = loop.create_future()
        self._reader = reader
        self.raw = bytearray()
        self.body = bytearray()
        self.lost = False
        self.lost_by: Exception | None = None

    def data_received(self, data: bytes) -> None:
        self.raw += data
        if self.whole.done():
            return
        try:
            self._reader.read(data)
        except MalformedChunk:
            self.stop()
            return
        self.body += b"".join(self._reader.payload)
        if self._reader.ended or len(self.body) > MAX_ERROR_BYTES:
            self.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost, self.lost_by = True, exc
        self.stop()

    def stop(self) -> None:
        if not self.whole.done():
            self.whole.set_result(None)
