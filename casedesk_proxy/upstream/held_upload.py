"""A held body, which is outside of this process's memory, on its way to a node: one piece in each
round of the loop, as long as the node accepts them. The body remains, so another node can get it
too."""

from __future__ import annotations

import asyncio

from casedesk_proxy.errors import Busy
from casedesk_proxy.planning.held import HeldContent
from casedesk_proxy.upstream.uploading import NodeSink, StayingUpload

__all__ = ["HeldUpload"]

#: Bytes in one round: reading and writing them takes a tenth of a millisecond.
_PIECE_BYTES = 128 * 1024


class HeldUpload(StayingUpload):
    def __init__(self, loop: asyncio.AbstractEventLoop, content: HeldContent) -> None:
        super().__init__(loop)
        self._content = content
        self._at = 0
        self._paused = False
        self._next: asyncio.Handle | None = None
        self._ended: asyncio.Future[None] = loop.create_future()

    def begin(self, node: NodeSink, within_s: float) -> None:
        super().begin(node, within_s)
        self._next = self._loop.call_soon(self._send)

    async def wait(self) -> None:
        await self._ended

    def stop(self) -> None:
        super().stop()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if not self._ended.done():
            self._ended.set_result(None)

    def pause(self) -> None:
        self._paused = True
        super().pause()

    def resume(self) -> None:
        self._paused = False
        super().resume()
        if self._node is not None and self._next is None and not self.is_done:
            self._next = self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._next, node = None, self._node
        if node is None or self._paused:
            return
        try:
            piece = self._content.read(self._at, _PIECE_BYTES)
        except OSError:
            piece = b""
        if not piece and self._at < self._content.size:
            self.stop()
            node.fail(Busy("the request's body could not be read again; send it again", status=503))
            return
        self._at += len(piece)
        if piece:
            node.send_more(piece)
        if self._at < self._content.size:
            if not self._paused:
                self._next = self._loop.call_soon(self._send)
            return
        self.is_done = True
        if not self._ended.done():
            self._ended.set_result(None)
        node.expect(self._within_s)
