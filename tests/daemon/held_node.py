"""A node whose streams end when a test says so, however long a daemon takes meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection, raw_node

__all__ = ["WORDS", "HeldNode", "held_node"]

#: The words of each stream; half of them come at once.
WORDS = [str(number) for number in range(1, 21)]
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"data: [DONE]\n\n"


class HeldNode:
    """In a thread of its own, since tests wait for daemons and signals in theirs."""

    def __init__(self) -> None:
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._released, self._ended = asyncio.Event(), asyncio.Event()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._serve(),), name="held node"
        )

    def begin(self) -> None:
        self._thread.start()
        assert self._is_ready.wait(PATIENCE_S)

    def release(self) -> None:
        """Let all streams end, and those that come later."""
        self._loop.call_soon_threadsafe(self._released.set)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _serve(self) -> None:
        async with raw_node(play=self._play) as node:
            self.url = node.url
            self._is_ready.set()
            await self._ended.wait()

    async def _play(self, connection: NodeConnection) -> None:
        while True:
            asked = await connection.request()
            if asked.method != "POST":
                await connection.send(_whole({"object": "list", "data": [{"id": "m"}]}))
            elif not json.loads(asked.body).get("stream"):
                said = {"role": "assistant", "content": " ".join(WORDS)}
                choice = {"index": 0, "message": said, "finish_reason": "stop"}
                await connection.send(_whole({"choices": [choice]}))
            else:
                half = len(WORDS) // 2
                await connection.send(_HEAD, *map(_event, WORDS[:half]))
                await self._released.wait()
                await connection.send(*map(_event, WORDS[half:]))
                await connection.send(_event(None) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(_END), _END))


def _whole(answer: object) -> bytes:
    body = json.dumps(answer).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def _event(word: str | None) -> bytes:
    """A chunk with a word; None: with the end."""
    delta = {} if word is None else {"content": f"{word} "}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if word is None else None}
    event = b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


@contextmanager
def held_node() -> Iterator[HeldNode]:
    node = HeldNode()
    node.begin()
    try:
        yield node
    finally:
        node.end()
