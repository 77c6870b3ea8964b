"""A request's body with stored files in it, on its way to a node: read, encoded and sent in pieces.

At any time this holds a piece of a file, the same piece in base64, and what the node's transport
has not sent: less than a megabyte, however large the files are. Reading and encoding are done in
threads. The files remain, so another node can get the same request.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable, Sequence
from typing import Protocol

from casedesk_proxy.errors import Busy, ProxyError
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.planning.filling import ContentPart, Part
from casedesk_proxy.upstream.uploading import NodeSink, StayingUpload

__all__ = ["FileContents", "FileReader", "FileUpload"]

#: Bytes of a file that are read at once; three bytes become four letters, so only the last piece is
#: padded.
_PIECE_BYTES = 3 * 64 * 1024


class FileReader(Protocol):
    """Reads one content from its beginning."""

    async def read(self, most: int, encode: Callable[[bytes], bytes] = bytes) -> bytes:
        """The next ``most`` bytes, encoded by ``encode``; fewer only at the end, and b"" after it.
        Raises a ProxyError."""

    def close(self) -> None: ...


class FileContents(Protocol):
    async def open(self, file: StoredFile) -> FileReader:
        """Raises a ProxyError."""


class FileUpload(StayingUpload):
    """``parts``: the body after its beginning."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, parts: Sequence[Part], contents: FileContents
    ) -> None:
        super().__init__(loop)
        self._parts = parts
        self._contents = contents
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._sending: asyncio.Task[None] | None = None

    def begin(self, node: NodeSink, within_s: float) -> None:
        super().begin(node, within_s)
        self._sending = self._loop.create_task(self._send(node))

    async def wait(self) -> None:
        if self._sending is not None:
            await asyncio.wait({self._sending})

    def stop(self) -> None:
        super().stop()
        self._may_send.set()
        if self._sending is not None:
            self._sending.cancel()

    def pause(self) -> None:
        self._may_send.clear()
        super().pause()

    def resume(self) -> None:
        self._may_send.set()
        super().resume()

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
            node.expect(self._within_s)

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
            raise Busy(
                "a file of the request has changed since it was stored; upload it again", status=503
            )

    async def _pass_on(self, node: NodeSink, data: bytes) -> None:
        await self._may_send.wait()
        node.send_more(data)


def _encode(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
