"""A held body is sent to its node piece by piece, at the node's speed."""

from __future__ import annotations

import asyncio

from casedesk_proxy.errors import Busy
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.upstream.held_upload import HeldUpload
from casedesk_proxy.upstream.uploading import Upload

BODY = bytes(range(256)) * 2048


class Node:
    """Pauses after ``most`` bytes."""

    def __init__(self, most: int = 10**9) -> None:
        self.upload: Upload | None = None
        self.most = most
        self.sent = b""
        self.pieces = 0
        self.within_s: list[float] = []
        self.errors: list[Exception] = []

    def send_more(self, data: bytes) -> None:
        self.sent += data
        self.pieces += 1
        if len(self.sent) >= self.most and self.upload is not None:
            self.upload.pause()

    def expect(self, within_s: float) -> None:
        self.within_s.append(within_s)

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


def begun(node: Node, within_s: float = 5.0, body: HeldBody | None = None) -> HeldUpload:
    content = HeldBody.create(BODY) if body is None else body
    upload = HeldUpload(asyncio.get_running_loop(), content)
    upload.begin(node, within_s)
    return upload


async def test_all_of_it_in_turns() -> None:
    node = Node()
    upload = begun(node)
    await upload.wait()
    assert node.sent == BODY
    assert node.pieces == 4
    assert (upload.is_done, node.within_s) == (True, [5.0])
    upload.stop()
    assert node.upload is None


async def test_waits_for_its_node() -> None:
    node = Node(most=1)
    upload = begun(node)
    while not node.pieces:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert node.pieces == 1
    node.most = 10**9
    upload.resume()
    await upload.wait()
    assert node.sent == BODY


async def test_a_node_that_takes_nothing_fails() -> None:
    node = Node(most=1)
    await begun(node, within_s=0.001).wait()
    assert isinstance(node.errors[0], TimeoutError)
    assert node.upload is None


async def test_lost_or_unreadable() -> None:
    upload = begun(node := Node(most=1))
    upload.lose()
    await upload.wait()
    assert (node.sent, upload.is_done) == (b"", False)
    gone = HeldBody.create(BODY)
    gone.close()
    node = Node()
    await begun(node, body=gone).wait()
    assert isinstance(node.errors[0], Busy)


async def test_nothing_is_done_at_once() -> None:
    node = Node()
    await begun(node, body=HeldBody.create()).wait()
    assert (node.pieces, node.within_s) == (0, [5.0])
