"""One attempt at one node: a connection, the request, the head of the reply.

A *reused* connection that fails before its first reply byte is replaced once: the node closed it
while our request was on its way (RFC 9112 section 9.3.1). A 408 on one is relayed: whether it is
about the idle connection or about a request that the model has worked on cannot be told.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from casedesk_proxy.errors import Busy, ConnectFailed, StreamBroken, UpstreamFault, UpstreamTimeout
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.retry import Failure
from casedesk_proxy.terms import record
from casedesk_proxy.upstream.certificates import describe_handshake
from casedesk_proxy.upstream.connection import ConnectionBroken, NodeConnection
from casedesk_proxy.upstream.descriptors import are_used_up
from casedesk_proxy.upstream.pool import ConnectionPool
from casedesk_proxy.upstream.unix_sockets import describe
from casedesk_proxy.wire.http1 import ResponseHead
from casedesk_proxy.wording import AboutNode, Wording

__all__ = ["Attempt", "AttemptFailed"]

#: Seconds after which a client may try again whose request found no free file descriptor here.
_NO_DESCRIPTORS_RETRY_S = 5.0


class AttemptFailed(Exception):
    """``failure`` decides whether another node is tried; ``fault`` counts against this node;
    ``error`` is the reply to the client if no other node is tried."""

    def __init__(self, failure: Failure, fault: NodeFault, error: UpstreamFault) -> None:
        super().__init__(error.message)
        self.failure = failure
        self.fault = fault
        self.error = error

    @property
    def cause(self) -> Wording:
        """For operators: what only they may know is said, too."""
        wording, said = self.error.wording, self.error.said
        if not said or isinstance(wording, str):
            return wording
        what, mark, remedy = wording.did.partition("; ")
        return replace(wording, did=f"{what} ({said}){mark}{remedy}")

    def last_word(self) -> UpstreamFault:
        """The error, to be raised while this exception is handled. It is deleted here, since the
        two exceptions would otherwise refer to each other."""
        error = self.error
        del self.error
        self.__traceback__ = None
        return error


@record
class Attempt:
    """Timeouts in seconds. An attempt that is cancelled, or fails, leaves no connection open.
    ``upgrades``: the request asks for another protocol; ``streams``: the reply is a stream, and its
    first byte is awaited."""

    node: str
    pool: ConnectionPool
    request: bytes
    connect_timeout: float
    first_byte_timeout: float
    upgrades: bool
    streams: bool

    async def run(self) -> tuple[NodeConnection, ResponseHead]:
        """Raises AttemptFailed, or Busy if the cause is in this process."""
        reused = self.pool.reuse()
        connection = reused or await self._connect()
        try:
            try:
                head = await self._send(connection)
            except ConnectionBroken as error:
                if reused is None or not error.silent:
                    raise
                connection = await self._connect()
                head = await self._send(connection)
        except ConnectionBroken as error:
            raise self._broken(error) from None
        except TimeoutError:
            connection.abort()
            raise self._late() from None
        except BaseException:
            connection.abort()
            raise
        self._check(connection, head)
        return connection, head

    def _check(self, connection: NodeConnection, head: ResponseHead) -> None:
        if 300 <= head.status < 400:
            connection.abort()
            raise self._redirected()

    def _send(self, connection: NodeConnection) -> OneShot[ResponseHead]:
        return connection.send_request(
            self.request, self.first_byte_timeout, upgrades=self.upgrades, at_once=self.streams
        )

    async def _connect(self) -> NodeConnection:
        # A task of its own: timeouts do not work in a fiber.
        opening = asyncio.get_running_loop().create_task(self._open())
        try:
            return await opening
        except asyncio.CancelledError:
            # It may be done already, with its connection waiting to be taken.
            opening.cancel()
            opening.add_done_callback(_let_go)
            raise
        except OSError as fault:
            raise self._unconnected(fault) from None
        finally:
            # A failed one holds its error, whose traceback holds this frame.
            del opening

    def _unconnected(self, fault: OSError) -> Exception:
        """The exception for a connection that failed. No local name holds it in the frame that
        raises it, since its traceback holds that frame."""
        if are_used_up(fault):
            # The node is not at fault, and any other node would fail in the same way.
            return Busy(
                "the proxy has no file descriptor left; try again in a moment",
                status=503, code="no_descriptors", retry_after=_NO_DESCRIPTORS_RETRY_S,
            )  # fmt: skip
        if isinstance(fault, TimeoutError):
            error = ConnectFailed(
                AboutNode("did not accept a connection in time; check that it runs, and its url"),
                status=504,
                code="node_timeout",
            )
        elif isinstance(fault, ssl.SSLError):
            error = ConnectFailed(describe_handshake(fault))
        elif self.pool.address.path is not None:
            error = ConnectFailed(
                AboutNode(f"cannot be reached: its socket {describe(fault)}; start it")
            )
            error.said = self.pool.address.path
        else:
            reason = "refused the connection" if fault.errno == 111 else "cannot be reached"
            error = ConnectFailed(AboutNode(f"{reason}; start it, or correct its url"))
        return self._failed(Failure.CONNECT, NodeFault.UNREACHABLE, error)

    async def _open(self) -> NodeConnection:
        async with asyncio.timeout(self.connect_timeout):
            return await self.pool.open()

    def _broken(self, error: ConnectionBroken) -> AttemptFailed:
        failure = Failure.LOST if error.lost else Failure.GARBLED
        return self._failed(failure, NodeFault.BROKE, StreamBroken(f"sent no reply: {error}"))

    def _late(self) -> AttemptFailed:
        error = UpstreamTimeout(
            AboutNode("sent no reply in time; try again, or raise first_byte_timeout")
        )
        return self._failed(Failure.TIMEOUT, NodeFault.SILENT, error)

    def _redirected(self) -> AttemptFailed:
        error = StreamBroken("answered with a redirect, which is never followed; correct its url")
        return self._failed(Failure.GARBLED, NodeFault.ERROR, error)

    def _failed(self, failure: Failure, fault: NodeFault, error: UpstreamFault) -> AttemptFailed:
        return AttemptFailed(failure, fault, error.with_node(self.node))


def _let_go(opening: asyncio.Task[NodeConnection]) -> None:
    """Close the connection: it is no longer needed."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().abort()
