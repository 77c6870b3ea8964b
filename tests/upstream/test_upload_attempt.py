"""An attempt whose request is still being sent when the reply arrives or fails."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from casedesk_proxy.pools.retry import Failure
from casedesk_proxy.upstream.attempt import AttemptFailed
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.pool import ConnectionPool
from casedesk_proxy.upstream.upload_attempt import UploadAttempt
from casedesk_proxy.upstream.uploading import NodeSink
from casedesk_proxy.wire.http1 import ResponseHead
from tests.upstream.test_attempt import Pool


class Uploading:
    """A body of which nothing arrives until the test says so."""

    def __init__(self) -> None:
        self.is_begun = self.is_done = False
        self.stopped = 0
        self.whole = asyncio.Event()
        self.node: NodeSink | None = None

    def begin(self, node: NodeSink, within: float) -> None:
        self.is_begun, self.node = True, node

    async def wait(self) -> None:
        await self.whole.wait()
        self.is_done = True

    def stop(self) -> None:
        self.stopped += 1

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def lose(self) -> None: ...


async def begin() -> tuple[Uploading, asyncio.Future[tuple[NodeConnection, ResponseHead]]]:
    upload = Uploading()
    attempt = UploadAttempt("n", cast(ConnectionPool, Pool(0)), b"ask", 9, 9, False, False, upload)
    running = asyncio.ensure_future(attempt.run())
    while upload.node is None:
        await asyncio.sleep(0)
    return upload, running


def say(upload: Uploading, status: int) -> None:
    node = cast(NodeConnection, upload.node)
    node.data_received(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)


async def test_an_answer_waits_for_the_upload_s_end() -> None:
    upload, running = await begin()
    await asyncio.sleep(0)
    say(upload, 200)
    for _ in range(4):
        await asyncio.sleep(0)
    assert not running.done()
    upload.whole.set()
    _, head = await running
    assert (head.status, head.keep_alive, upload.stopped) == (200, True, 1)


async def test_an_error_does_not_and_the_connection_takes_no_other_request() -> None:
    upload, running = await begin()
    await asyncio.sleep(0)
    say(upload, 413)
    _, head = await running
    assert (head.status, head.keep_alive, upload.stopped) == (413, False, 1)


@pytest.mark.parametrize(
    ("error", "failure", "told"),
    [
        (TimeoutError(), Failure.TIMEOUT, "node n stopped reading the request, or sent no reply"),
        (None, Failure.LOST, "node n sent no reply: closed before"),
    ],
)
async def test_it_fails_as_others_do(error: Any, failure: Failure, told: str) -> None:
    upload, running = await begin()
    node = cast(NodeConnection, upload.node)
    if error is None:
        node.connection_lost(None)
    else:
        node.fail(error)
    with pytest.raises(AttemptFailed, match=told) as caught:
        await running
    assert (caught.value.failure, upload.stopped) == (failure, 1)


async def test_what_keeps_the_client_from_sending_is_the_client_s_error() -> None:
    upload, running = await begin()
    cast(NodeConnection, upload.node).fail(ValueError("too slow"))
    with pytest.raises(ValueError, match="too slow"):
        await running
    assert upload.stopped == 1


async def test_redirects_are_not_followed() -> None:
    upload, running = await begin()
    await asyncio.sleep(0)
    say(upload, 301)
    with pytest.raises(AttemptFailed, match="redirect"):
        await running
