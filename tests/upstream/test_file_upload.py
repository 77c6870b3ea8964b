"""Bodies with files that are sent to a node: delayed, interrupted, and never shown as complete
then."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence

from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.planning.filling import ContentPart, Part
from casedesk_proxy.upstream.file_upload import FileUpload
from casedesk_proxy.upstream.uploading import Upload

CONTENT = bytes(range(256)) * 2000


def stored(size: int) -> StoredFile:
    return StoredFile("a" * 24, "alice", "n", "image/png", size, "00", 0.0, None)


class Contents:
    """One content for all files; ``closed`` counts the readers that were closed."""

    def __init__(self, content: bytes = CONTENT, error: Exception | None = None) -> None:
        self.content = content
        self.error = error
        self.at = 0
        self.closed = 0

    async def open(self, file: StoredFile) -> Contents:
        if self.error is not None:
            raise self.error
        self.at = 0
        return self

    async def read(self, most: int, encode: Callable[[bytes], bytes]) -> bytes:
        await asyncio.sleep(0)
        piece = self.content[self.at : self.at + most]
        self.at += len(piece)
        return encode(piece)

    def close(self) -> None:
        self.closed += 1


class Node:
    """Accepts ``room`` pieces, and no more until it is asked."""

    def __init__(self, room: int = 10**6) -> None:
        self.upload: Upload | None = None
        self.room = room
        self.pieces: list[bytes] = []
        self.within_s: float | None = None
        self.error: Exception | None = None

    def send_more(self, data: bytes) -> None:
        self.pieces.append(data)
        if len(self.pieces) == self.room and self.upload is not None:
            self.upload.pause()

    def expect(self, within_s: float) -> None:
        self.within_s = within_s

    def fail(self, error: Exception) -> None:
        self.error = error


def begin(
    node: Node, contents: Contents, parts: Sequence[Part] | None = None, within_s: float = 60.0
) -> FileUpload:
    body = (ContentPart(stored(len(CONTENT))), b'"}') if parts is None else parts
    upload = FileUpload(asyncio.get_running_loop(), body, contents)
    upload.begin(node, within_s)
    return upload


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_file_is_sent_in_pieces() -> None:
    node, contents = Node(), Contents()
    upload = begin(node, contents)
    await upload.wait()
    upload.stop()
    assert b"".join(node.pieces) == base64.b64encode(CONTENT) + b'"}'
    assert max(map(len, node.pieces)) == 2**18
    assert (upload.is_done, node.within_s, node.upload, contents.closed) == (True, 60.0, None, 1)


async def test_raw_content_is_sent_as_it_is() -> None:
    node = Node()
    await begin(node, Contents(), [ContentPart(stored(len(CONTENT)), in_base64=False)]).wait()
    assert b"".join(node.pieces) == CONTENT


async def test_a_node_that_takes_no_more_is_waited_for() -> None:
    node, contents = Node(room=1), Contents()
    upload = begin(node, contents)
    await settle()
    assert len(node.pieces) == 1
    upload.resume()
    await upload.wait()
    assert b"".join(node.pieces).endswith(b'"}')
    upload.stop()


async def test_a_node_that_takes_nothing_in_time_is_left() -> None:
    node, contents = Node(room=1), Contents()
    begin(node, contents, within_s=0.001)
    while node.error is None:
        await asyncio.sleep(0.001)
    assert isinstance(node.error, TimeoutError)
    await settle()
    assert contents.closed == 1


async def test_a_node_that_has_gone_gets_no_more() -> None:
    node, contents = Node(room=1), Contents()
    upload = begin(node, contents)
    await settle()
    upload.lose()
    await upload.wait()
    assert (len(node.pieces), node.error, contents.closed) == (1, None, 1)


async def test_a_file_that_cannot_be_read_ends_the_attempt() -> None:
    node = Node()
    await begin(node, Contents(error=NotFound("gone"))).wait()
    assert isinstance(node.error, NotFound)
    node = Node()
    await begin(node, Contents(b"short")).wait()
    assert isinstance(node.error, Busy)
