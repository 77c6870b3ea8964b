"""Side requests, to the node that gets the client's request: one may cost a moment, but never cause
an error."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from casedesk_proxy.errors import Busy
from casedesk_proxy.planning.held import HeldRoute
from casedesk_proxy.planning.route import Route
from casedesk_proxy.replying.heads import ANSWERED
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.upstream.attempt import Attempt
from casedesk_proxy.upstream.connection import ConnectionBroken, NodeConnection
from casedesk_proxy.upstream.held_upload import HeldUpload
from casedesk_proxy.upstream.pool import ConnectionPool
from casedesk_proxy.upstream.uploading import Upload
from casedesk_proxy.wire.bodies import BodyReader, CloseReader, body_reader
from casedesk_proxy.wire.chunked import MalformedChunk
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["fetch_beside", "read_answer", "run_with_side_request"]

#: Seconds for which a reply that has begun waits for the answer.
ANSWER_WAIT_S = 0.25
#: An answer is a number; vLLM adds the tokens themselves, a few bytes each.
MAX_ANSWER_BYTES = 16 * 1024 * 1024


async def run_with_side_request(
    attempt: Attempt, route: Route, node: NodeSpec, pool: ConnectionPool
) -> tuple[NodeConnection, ResponseHead]:
    """Run the attempt and, beside it, the route's side request; the reply waits a short time for
    its answer."""
    assert route.side_request is not None
    content = route.side_content if isinstance(route, HeldRoute) else None
    rest = None if content is None else HeldUpload(asyncio.get_running_loop(), content)
    beside = fetch_beside(pool, route.side_request_for(node), route.side_request.take, rest)
    asking = asyncio.ensure_future(beside)
    try:
        connection, head = await attempt.run()
        try:
            if head.status in ANSWERED:
                await asyncio.wait({asking}, timeout=ANSWER_WAIT_S)
        except BaseException:
            connection.abort()
            raise
        return connection, head
    finally:
        asking.cancel()


async def fetch_beside(
    pool: ConnectionPool,
    request: bytes,
    take: Callable[[bytes], None],
    rest: Upload | None = None,
) -> None:
    """Pass the body of an answer to ``take``; any other reply, and any failure, is
    ignored. ``rest``: bytes to send after ``request``. Closes its connection if it is cancelled."""
    connection, kept = None, False
    try:
        connection = pool.reuse() or await pool.open()
        waiter = connection.send_request(request)
        if rest is not None:
            rest.begin(connection, math.inf)
        head = await waiter
        if head.status in ANSWERED and (rest is None or rest.is_done):
            take(await read_answer(connection, head))
            kept = True
            pool.give_back(connection, head.keep_alive)
    except (OSError, ConnectionBroken, Busy):
        pass
    finally:
        if rest is not None:
            rest.stop()
        if connection is not None and not kept:
            connection.abort()


async def read_answer(connection: NodeConnection, head: ResponseHead) -> bytes:
    """The body of a reply, of at most MAX_ANSWER_BYTES. Raises ConnectionError if it does not
    arrive whole."""
    return await _Answer(asyncio.get_running_loop(), head).read(connection)


class _Answer(asyncio.Protocol):
    """Collects a short body."""

    def __init__(self, loop: asyncio.AbstractEventLoop, head: ResponseHead) -> None:
        #: None if it does not arrive whole. Not an error: its traceback would hold this object, and
        #: all that waits for it, until the next garbage collection.
        self._whole: asyncio.Future[bytes | None] = loop.create_future()
        self._reader: BodyReader = body_reader(head)
        self._body = bytearray()
        self._connection: NodeConnection | None = None

    async def read(self, connection: NodeConnection) -> bytes:
        """Raises ConnectionError if the body does not arrive whole."""
        early, connection.buffered_body = connection.buffered_body, b""
        self._connection = connection
        self.data_received(early)
        if not self._whole.done() and connection.attach(self) is None:
            self.connection_lost(connection.lost_by)
        if (whole := await self._whole) is None:
            raise ConnectionError("no complete answer")
        return whole

    def data_received(self, data: bytes) -> None:
        if self._whole.done():
            return
        reader, used = self._reader, 0
        try:
            while used < len(data) and not reader.ended and len(self._body) <= MAX_ANSWER_BYTES:
                used += reader.read(data[used:])
                self._body += b"".join(reader.payload)
        except MalformedChunk:
            self._fail()
            return
        if used < len(data) or len(self._body) > MAX_ANSWER_BYTES:
            self._fail()
        elif reader.ended:
            if self._connection is not None:
                # Detach at once: further bytes are unexpected, and the connection itself must
                # notice them.
                self._connection.detach()
            self._whole.set_result(bytes(self._body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._whole.done():
            return
        if exc is None and isinstance(self._reader, CloseReader):
            self._whole.set_result(bytes(self._body))
        else:
            self._fail()

    def _fail(self) -> None:
        self._whole.set_result(None)
