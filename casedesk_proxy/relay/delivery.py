"""One node's reply on its way to one client: its relay, and the result."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import StreamBroken, UpstreamFault
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.relay.early_response import EarlyResponse
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.replying.bodies.choose import NodeReply, Recipient, choose_body
from casedesk_proxy.replying.commands import State
from casedesk_proxy.replying.endings import end_behind
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import GAVE_UP, Delivered, ReplyFacts, Terminal
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.terms import Framing
from casedesk_proxy.upstream.attempts import Beginning
from casedesk_proxy.upstream.lease import LeasedReply

__all__ = ["Delivery"]

#: The ends of a reply that count against its node.
_FAULTS = {Terminal.NODE_BROKE: NodeFault.BROKE, Terminal.TIMED_OUT: NodeFault.SILENT}


class Delivery:
    """Made when a reply's head has arrived. ``begin`` sends it on; ``close`` must be called once,
    however the exchange ends, and returns the result. ``controls``: the controls of thinking in the
    request. ``generates``: each of its pieces is about a token."""

    __slots__ = (
        "_client", "_early_sent", "_keep_alive", "_lease", "_surface", "_watch", "controls",
        "generates", "relay", "status",
    )  # fmt: skip

    def __init__(
        self,
        request: ClientRequest,
        reply: LeasedReply,
        client: Recipient,
        watch: Watch,
        *,
        early: EarlyResponse | None = None,
        on_first_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        """``early``: what the client received before, if it may have received anything.
        ``on_first_bytes``: see `NodeReply`. Raises UpstreamFault, after letting go of the node, if
        the reply does not continue what the client received."""
        self._client = request.client
        self._lease = reply.lease
        self.status = reply.head.status
        self.controls = reply.route.controls
        translator = reply.route.translator
        self.generates = client.framing is not Framing.UNARY or translator is not None
        self._surface = client.surface
        self._watch = watch
        try:
            chosen = choose_body(client, _node_reply(reply, on_first_bytes))
        except UpstreamFault as error:
            broken = isinstance(error, StreamBroken)
            reply.lease.end(clean=False, fault=NodeFault.BROKE if broken else None)
            raise
        self._keep_alive = chosen.keep_alive
        if early is not None:
            self.relay = early.relay
            self.relay.machine.reply(chosen.make_head, chosen.body)
        else:
            transport = request.client.flushed_transport()
            assert transport is not None, "a client that leaves cancels its handler"
            behind = end_behind(client.surface, client.framing, request.head.headers)
            machine = ReplyMachine(chosen.make_head, chosen.body, behind)
            self.relay = Relay(watch.loop, transport, machine, watch.turns)
        self.relay.machine.node = self._lease.node.name
        self.relay.machine.has_tokens = self.generates
        self._early_sent = self.relay.sent

    def begin(self, deployment: DeploymentSpec) -> None:
        """Send the head and start the relay, within the deployment's limits. An internal error here
        ends the relay, as a later one would."""
        try:
            self._begin(deployment)
        except Exception:
            self.relay.fail()

    def _begin(self, deployment: DeploymentSpec) -> None:
        self._client.relay = self.relay
        self.relay.begin(self._lease.connection)
        if self.relay.terminal is None:
            # Behind the first bytes, which do not wait for it.
            self._lease.begin(self.relay)
            idle = deployment.idle_timeout(self._lease.node)
            wanted = deployment.config
            translated = self.relay.machine.body.is_translated
            keeps_alive = wanted.heartbeat and (translated or wanted.heartbeat_verbatim)
            keepalive_after_s = wanted.heartbeat if keeps_alive else float("inf")
            self._watch.add(self.relay, idle, deployment.client_stall_timeout, keepalive_after_s)

    async def beginning(self) -> Beginning:
        """How the reply began: for a translated reply, known once something of it has been sent to
        the client, or it has ended. A reply that is not translated is sent, or has failed, as it
        arrives."""
        if self.relay.is_unsent and self.relay.machine.body.is_translated:
            await self.relay.progress.wait_begun()
        return Beginning(
            node=self._lease.node,
            controls=self.controls,
            is_granted=self._is_granted,
            is_refused=self.relay.machine.fault is not None,
            is_lost=self._is_lost,
            refusal=self.refusal,
        )

    async def wait(self) -> None:
        """Wait until the reply has ended."""
        if self.relay.terminal is None:
            await self.relay.progress.wait_ended()

    def close(self, *, excused: bool = False) -> Delivered:
        """Let go of both connections, whatever is raised; returns the result of the reply.
        ``excused``: its end does not count against the node."""
        relay, end = self.relay, Terminal.FAILED
        try:
            gone = self._client.has_left
            relay.leave(Terminal.CLIENT_GONE if gone else Terminal.SHUT_DOWN)
            delivered = self._sum_up()
            end = delivered.facts.terminal
            return delivered
        finally:
            self._client.relay = None
            self._watch.discard(relay)
            whole = end is Terminal.COMPLETED and relay.machine.fault is None
            self._lease.end(
                clean=relay.clean,
                whole=whole and self.status < 400,
                fault=None if excused else _FAULTS.get(end),
            )

    def abandon(self) -> None:
        """Let go of it after an internal error."""
        try:
            self.relay.leave(Terminal.FAILED)
        finally:
            self._client.relay = None
            self._watch.discard(self.relay)
            self._lease.abandon()

    def _sum_up(self) -> Delivered:
        relay, machine = self.relay, self.relay.machine
        assert relay.terminal is not None
        relay.recall()
        end, code, reason = relay.terminal, machine.code, machine.reason
        if end is Terminal.COMPLETED and machine.body.is_given_up(self._surface):
            end, code, reason = Terminal.NODE_BROKE, GAVE_UP.code, GAVE_UP.reason
        facts = ReplyFacts(
            status=self.status,
            terminal=end,
            code=code,
            reason=reason,
            first_byte=relay.first_byte,
            sent=relay.sent,
            events=relay.events,
            usage=machine.body.usage(self._surface),
        )
        keep_alive = self._keep_alive and relay.terminal is Terminal.COMPLETED
        return Delivered(facts, keep_alive, machine.fault)

    @property
    def node(self) -> NodeSpec:
        return self._lease.node

    @property
    def _is_lost(self) -> bool:
        """Whether the node was lost before the client received anything of the reply."""
        machine = self.relay.machine
        lost = machine.terminal is Terminal.NODE_BROKE and machine.lost
        return lost and machine.fault is not None

    @property
    def refusal(self) -> tuple[int, bytes]:
        """For a translated reply that failed before anything of it was sent: its status, and the
        beginning of its body; (0, b"") if the reply is not translated."""
        return self.relay.machine.body.refusal

    @property
    def _is_granted(self) -> bool:
        """Whether the node has begun a regular reply in its own protocol: a part of the translated
        reply has been sent. A keepalive before it proves nothing."""
        machine = self.relay.machine
        is_regular = machine.state in (State.BODY, State.ENDED) and machine.fault is None
        return is_regular and machine.body.is_translated and machine.sent > self._early_sent


def _node_reply(reply: LeasedReply, on_first_bytes: Callable[[bytes], None] | None) -> NodeReply:
    node, route = reply.lease.node, reply.route
    return NodeReply(
        reply.head, node.name, reply.asked, node.host_header, node.key,
        route.translator, route.reply_headers, on_first_bytes,
        route.has_more_counts,
    )  # fmt: skip
