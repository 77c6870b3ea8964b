"""A connection that a node has upgraded: its handshake for the client, its tunnel, and the result.
It takes the place of a `Delivery`."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.tunnel import Tunnel
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.replying.record import Delivered, ReplyFacts, Terminal
from casedesk_proxy.snapshot import DeploymentSpec
from casedesk_proxy.terms import Control
from casedesk_proxy.upstream.attempts import Beginning
from casedesk_proxy.upstream.lease import LeasedReply
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["Upgrade"]

_STATUS = 101
_FAULTS = {Terminal.NODE_BROKE: NodeFault.BROKE, Terminal.TIMED_OUT: NodeFault.SILENT}


class Upgrade:
    """See `Delivery`: call ``begin`` once and ``close`` once."""

    __slots__ = ("_client", "_head", "_lease", "_watch", "tunnel")

    status = _STATUS
    controls: Mapping[Control, str] = {}

    def __init__(
        self, request: ClientRequest, reply: LeasedReply, request_id: str, watch: Watch
    ) -> None:
        self._client = request.client
        self._lease = reply.lease
        self._head = _handshake(reply.head, request_id)
        self._watch = watch
        self.tunnel = Tunnel(watch.loop, request.client, reply.lease.connection, watch.turns)

    def begin(self, deployment: DeploymentSpec) -> None:
        """The node's idle_timeout limits silence in both directions."""
        tunnel = self.tunnel
        try:
            self._client.relay = tunnel
            self._lease.begin(tunnel)
            tunnel.begin(self._head)
            if tunnel.terminal is None:
                idle = deployment.idle_timeout(self._lease.node)
                self._watch.add(tunnel, idle, deployment.client_stall_timeout)
        except Exception:
            tunnel.fail()

    async def beginning(self) -> Beginning:
        """How it began: well, since what has been upgraded belongs to its client."""
        return Beginning(
            node=self._lease.node,
            controls=self.controls,
            is_granted=False,
            is_refused=False,
            is_lost=False,
            refusal=(0, b""),
        )

    async def wait(self) -> None:
        if self.tunnel.terminal is None:
            await self.tunnel.progress.wait_ended()

    def close(self, *, excused: bool = False) -> Delivered:
        tunnel, end = self.tunnel, Terminal.FAILED
        try:
            gone = self._client.has_left
            tunnel.leave(Terminal.CLIENT_GONE if gone else Terminal.SHUT_DOWN)
            end = tunnel.terminal or end
            facts = ReplyFacts(
                status=_STATUS,
                terminal=end,
                code=tunnel.code,
                reason=tunnel.reason,
                first_byte=tunnel.first_byte,
                sent=tunnel.sent,
                events=tunnel.events,
            )
            return Delivered(facts, keep_alive=False)
        finally:
            self._client.relay = None
            self._watch.discard(tunnel)
            self._lease.end(clean=False, fault=None if excused else _FAULTS.get(end))

    def abandon(self) -> None:
        """Let go of it after an internal error."""
        try:
            self.tunnel.leave(Terminal.FAILED)
        finally:
            self._client.relay = None
            self._watch.discard(self.tunnel)
            self._lease.abandon()


def _handshake(head: ResponseHead, request_id: str) -> bytes:
    """The node's handshake, without headers that clients must not see."""
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    for name, value in head.headers:
        if name.lower().startswith(b"sec-websocket-"):
            lines.append(name + b": " + value)
    lines.append(b"x-request-id: " + request_id.encode("ascii"))
    return b"\r\n".join(lines) + b"\r\n\r\n"
