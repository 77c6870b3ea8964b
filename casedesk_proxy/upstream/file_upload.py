"""A request's body with stored files in it, on its way to a node: read, encoded and sent piece by
piece.

What of it is held at once is a piece of a file, the same in base64, and what the node's transport
has yet to send: less than a megabyte, however large the files are. Reading and encoding are done in
threads. As the files stay, another node can have the same request.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable, Sequence
from typing import Protocol

from casedesk_proxy.errors import Busy, ProxyError
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.planning.filling import ContentPart, Part
from casedesk_proxy.upstream.uploading import NodeSink

__all__ = ["FileContents", "FileReader", "FileUpload"]

#: Of a file at a time; three bytes become four letters, so no piece but the last is padded.
_PIECE_BYTES = 3 * 64 * 1024


class FileReader(Protocol):
    """One content, from its beginning."""

    async def read(self, most: int, encode: Callable[[bytes], bytes] = bytes) -> bytes:
        """The next ``most`` bytes as ``encode`` makes them, fewer only at the end, b"" behind it.
        Raises a ProxyError."""

    def close(self) -> None: ...


class FileContents(Protocol):
    async def open(self, file: StoredFile) -> FileReader:
        """Raises a ProxyError."""


class FileUpload:
    """See `upstream.uploading.Upload`. ``parts``: the body behind its beginning. Serves one attempt
    at one node."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, parts: Sequence[Part], contents: FileContents
    ) -> None:
        self._loop = loop
        self._parts = parts
        self._contents = contents
        self._node: NodeSink | None = None
        self._within = float("inf")
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._sending: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self.is_begun = False
        self.is_done = False

    def begin(self, node: NodeSink, within: float) -> None:
        self.is_begun = True
        self._node, self._within = node, within
        node.upload = self
        self._sending = self._loop.create_task(self._send(node))

    async def wait(self) -> None:
        if self._sending is not None:
            await asyncio.wait({self._sending})

    def stop(self) -> None:
        self.resume()
        node, self._node = self._node, None
        if node is not None:
            node.upload = None
        if self._sending is not None:
            self._sending.cancel()

    def pause(self) -> None:
        self._may_send.clear()
        if self._within != float("inf") and self._node is not None:
            self._patience = self._loop.call_later(self._within, self._give_up, self._node)

    def resume(self) -> None:
        self._may_send.set()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def lose(self) -> None:
        self.stop()

    def _give_up(self, node: NodeSink) -> None:
        self.stop()
        node.fail(TimeoutError())

    async def _send(self, node: NodeSink) -> None:
        try:
            for part in self._parts:
                if isinstance(part, bytes):
                    await self._pass_on(node, part)
                else:
                    await self._send_file(node, part)
        except ProxyError as error:
            self._node = None
            node.fail(error.with_traceback(None))
        else:
            self.is_done = True
            node.expect(self._within)

    async def _send_file(self, node: NodeSink, part: ContentPart) -> None:
        encode = _encode if part.in_base64 else bytes
        reader, sent = await self._contents.open(part.file), 0
        try:
            while piece := await reader.read(_PIECE_BYTES, encode):
                sent += len(piece)
                await self._pass_on(node, piece)
        finally:
            reader.close()
        if sent != part.length:
            raise Busy("a file of the request has changed since it was stored", status=503)

    async def _pass_on(self, node: NodeSink, data: bytes) -> None:
        await self._may_send.wait()
        node.send_more(data)


def _encode(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
