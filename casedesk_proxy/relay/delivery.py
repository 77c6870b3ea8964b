"""One node's reply on its way to one client: which relay carries it, and what it came to."""

from __future__ import annotations

import asyncio
import dataclasses
import functools

from casedesk_proxy.errors import ProxyError, StreamBroken, UpstreamFault
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.relay.continued import ContinuedArray
from casedesk_proxy.relay.refusing import RefusalRelay
from casedesk_proxy.relay.relay import Ending, ReframingRelay, Relay
from casedesk_proxy.relay.request import Request
from casedesk_proxy.relay.transposing import TransposingRelay
from casedesk_proxy.relay.verbatim import VerbatimRelay
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.replying.completeness import is_given_up
from casedesk_proxy.replying.endings import ArrayTap, broken_ending, envelope, mended_ending
from casedesk_proxy.replying.heads import (
    client_framing,
    is_event_stream,
    reply_head,
    transposed_head,
)
from casedesk_proxy.replying.in_stream_errors import judge_within
from casedesk_proxy.replying.keepalive import pulse
from casedesk_proxy.replying.node_errors import judge_refusal
from casedesk_proxy.replying.record import GAVE_UP, Delivered, Terminal
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.upstream.lease import Reply
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import body_reader, content_coding, is_opaque
from casedesk_proxy.wire.http1 import Body, ResponseHead, header

__all__ = ["Delivery"]

#: The ends of a reply that speak against its node.
_FAULTS = {Terminal.NODE_BROKE: NodeFault.BROKE, Terminal.TIMED_OUT: NodeFault.SILENT}


class Delivery:
    """Made when a reply's head has come. ``begin`` sends it on, ``close`` must be called once,
    however the exchange ends, and returns what it came to. ``controls`` are those of thinking that
    the node was asked for.
    """

    __slots__ = (
        "_beats",
        "_client",
        "_keep_alive",
        "_lease",
        "_surface",
        "_watch",
        "controls",
        "relay",
        "status",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: Request,
        reply: Reply,
        surface: Dialect,
        framing: Framing,
        request_id: str,
        watch: Watch,
        *,
        opened: bool = False,
    ) -> None:
        """``opened``: the client has the head of a stream already. Raises UpstreamFault, the node
        let go, where its reply is no such stream."""
        self._client = request.client
        self._lease = reply.lease
        self.status = reply.head.status
        self.controls = reply.route.controls
        self._surface = surface
        self._watch = watch
        translated = reply.route.translator is not None
        _check_readable(reply)
        if opened and not translated:
            _check_continues(reply, framing)
        make = _transposing if translated else _relaying
        self.relay, self._keep_alive = make(
            loop, request, reply, surface, framing, request_id, opened=opened
        )
        if not translated and _streams_as(framing, reply.head):
            client = header(request.head.headers, b"x-goog-api-client") or b""
            self.relay.pulse = pulse(surface, framing, client)
            if framing is Framing.SSE and reply.head.status == 200:
                self.relay.answers = surface
        if not translated and reply.head.status == 200:
            self.relay.within = functools.partial(
                judge_within, surface, model=reply.asked, key=reply.lease.node.key
            )
        self._beats = translated

    def begin(self, deployment: DeploymentSpec) -> None:
        """Send the head and let the relay run, within the deployment's limits. A bug in that ends
        the relay, as any later one does."""
        try:
            self._begin(deployment)
        except Exception:
            self.relay.fail()

    def _begin(self, deployment: DeploymentSpec) -> None:
        self._client.relay = self.relay
        self._lease.begin(self.relay)
        self.relay.begin(self._lease.connection)
        if self.relay.terminal is None:
            idle = deployment.idle_timeout(self._lease.node)
            wanted = deployment.config
            beats = wanted.heartbeat and (self._beats or wanted.heartbeat_verbatim)
            beat_after = wanted.heartbeat if beats else float("inf")
            self._watch.add(self.relay, idle, deployment.client_stall_timeout, beat_after)

    async def begun(self) -> None:
        """Until something of the reply has been sent to the client, or it has ended."""
        await self.relay.begun()

    async def wait(self) -> None:
        """Until the reply has ended."""
        await self.relay.wait()

    def close(self, *, excused: bool = False) -> Delivered:
        """Let go of both connections; returns what the reply came to. They are let go of whatever
        is raised. ``excused``: its end does not speak against the node."""
        relay, end = self.relay, Terminal.FAILED
        try:
            gone = self._client.transport is None
            relay.leave(Terminal.CLIENT_GONE if gone else Terminal.SHUT_DOWN)
            delivered = self._sum_up()
            end = delivered.terminal
            return delivered
        finally:
            self._client.relay = None
            self._watch.discard(relay)
            whole = end is Terminal.COMPLETED and relay.fault is None
            self._lease.end(
                clean=relay.clean,
                whole=whole and self.status < 400,
                fault=None if excused else _FAULTS.get(end),
            )

    def abandon(self) -> None:
        """A bug kept it from being closed."""
        try:
            self.relay.leave(Terminal.FAILED)
        finally:
            self._client.relay = None
            self._watch.discard(self.relay)
            self._lease.abandon()

    def _sum_up(self) -> Delivered:
        relay = self.relay
        assert relay.terminal is not None
        end, error = relay.terminal, (relay.code, relay.reason)
        if end is Terminal.COMPLETED and is_given_up(self._surface, relay.tap.last):
            end, error = Terminal.NODE_BROKE, (GAVE_UP.code, GAVE_UP.reason)
        return Delivered(
            terminal=end,
            code=error[0],
            reason=error[1],
            first_byte=relay.first_byte,
            sent=relay.sent,
            events=relay.events,
            usage=relay.usage(self._surface),
            fault=relay.fault,
            keep_alive=self._keep_alive and relay.terminal is Terminal.COMPLETED,
        )

    @property
    def node(self) -> NodeSpec:
        return self._lease.node

    @property
    def fault(self) -> ProxyError | None:
        """An error to answer with, where nothing of the reply has been sent."""
        return self.relay.fault

    @property
    def may_be_replayed(self) -> bool:
        """The node was lost, and the client has nothing of its reply."""
        relay = self.relay
        return relay.terminal is Terminal.NODE_BROKE and relay.lost and relay.fault is not None

    @property
    def refusal(self) -> tuple[int, bytes]:
        """Where a translated reply failed before anything of it was sent: its status, and the
        beginning of its body; (0, b"") where the reply is not translated."""
        relay = self.relay
        return relay.refusal if isinstance(relay, TransposingRelay) else (0, b"")

    @property
    def is_granted(self) -> bool:
        """Whether the node has begun to answer what it was asked in its own protocol: a part of
        the translated reply has been sent. A keep-alive before it says nothing."""
        relay = self.relay
        return (
            isinstance(relay, TransposingRelay)
            and relay.fault is None
            and bool(relay.sent)
            and relay.terminal in (None, Terminal.COMPLETED)
        )


def _streams_as(framing: Framing, head: ResponseHead) -> bool:
    """Whether a reply has the form that its client asked for; an array is told by its bytes."""
    return framing is Framing.JSON_ARRAY or (framing is Framing.SSE and is_event_stream(head))


def _check_readable(reply: Reply) -> None:
    """Nodes are asked for an uncompressed reply. One that is compressed all the same is decoded,
    or refused if it cannot be; an error is judged by its status alone then."""
    head = reply.head
    if head.status >= 400 or not is_opaque(head.headers):
        return
    reply.lease.end(clean=False)
    coding = content_coding(head.headers)[:40].decode("latin-1")
    raise StreamBroken(
        f"the node compressed its reply ({coding}), although it was asked not to;"
        " turn compression off at the node or at the proxy in front of it"
    )


def _check_continues(reply: Reply, framing: Framing) -> None:
    """The client waits for the rest of a stream with status 200; anything else has to be told as
    an error."""
    status = reply.head.status
    if status == 200 and _streams_as(framing, reply.head):
        return
    reply.lease.end(clean=False)
    if status >= 400:
        raise UpstreamFault(f"the node answered with status {status}", status=status)
    raise StreamBroken("the node answered with something else than a stream of events")


def _relaying(
    loop: asyncio.AbstractEventLoop,
    request: Request,
    reply: Reply,
    surface: Dialect,
    framing: Framing,
    request_id: str,
    *,
    opened: bool,
) -> tuple[Relay, bool]:
    """The relay of a reply that is in the client's protocol, and whether its end can be told
    without closing."""
    transport = request.client.transport
    assert transport is not None, "a client that leaves cancels its handler"
    if reply.head.status >= 400:
        return _refusing(loop, request, reply, surface, request_id), request.head.keep_alive
    coded = bool(content_coding(reply.head.headers))
    given = Body.CHUNKED if coded else reply.head.body
    # A client that has had signs of life has chunks, too.
    taken = client_framing(Body.CHUNKED if opened else given, modern=request.head.modern)
    keep_alive = request.head.keep_alive and taken is not Body.CLOSE
    head = b""
    if not opened:
        head = reply_head(
            reply.head, taken, surface, request_id,
            keep_alive=keep_alive, modern=request.head.modern,
        )  # fmt: skip
    tap: Tap
    if framing is Framing.JSON_ARRAY:
        tap = watcher = ArrayTap()
        ending: Ending = watcher.ending
    else:
        tap = Tap()
        ends = mended_ending if taken is Body.CLOSE else broken_ending
        ending = functools.partial(ends, surface, framing)
    parts = (loop, transport, head, body_reader(reply.head), tap, ending)
    if opened and framing is Framing.JSON_ARRAY:
        return ContinuedArray(*parts, chunked=request.head.modern), keep_alive
    if taken is given and given is not Body.CLOSE and not coded:
        watchful = framing is Framing.JSON_ARRAY
        return VerbatimRelay(*parts, watchful=watchful), keep_alive
    return ReframingRelay(*parts, chunked=request.head.modern), keep_alive


def _refusing(
    loop: asyncio.AbstractEventLoop,
    request: Request,
    reply: Reply,
    surface: Dialect,
    request_id: str,
) -> Relay:
    """The relay of an error in the client's protocol, or in what its node takes for that."""
    head, node = reply.head, reply.lease.node
    keep_alive, modern = request.head.keep_alive, request.head.modern

    def make_head(length: int) -> bytes:
        whole = dataclasses.replace(head, body=Body.LENGTH, length=length)
        return reply_head(
            whole, Body.LENGTH, surface, request_id, keep_alive=keep_alive, modern=modern
        )

    def judge(body: bytes) -> ProxyError | None:
        return judge_refusal(surface, head, body, node.host_header, reply.asked, node.key)

    transport = request.client.transport
    assert transport is not None
    return RefusalRelay(loop, transport, body_reader(head), make_head, judge)


def _transposing(
    loop: asyncio.AbstractEventLoop,
    request: Request,
    reply: Reply,
    surface: Dialect,
    framing: Framing,
    request_id: str,
    *,
    opened: bool,
) -> tuple[Relay, bool]:
    """The same for a reply that has to be translated."""
    transport, translator = request.client.transport, reply.route.translator
    assert transport is not None
    assert translator is not None
    streams, modern = framing is not Framing.UNARY, request.head.modern
    keep_alive = request.head.keep_alive and (modern or not streams)
    make_head = functools.partial(
        transposed_head,
        translator.content_type,
        reply.route.reply_headers,
        surface,
        request_id,
        modern=modern,
        keep_alive=keep_alive,
    )
    relay = TransposingRelay(
        loop, transport, reply.head, translator, make_head, envelope(surface),
        streams=streams, chunked=modern, opened=opened, key=reply.lease.node.key,
    )  # fmt: skip
    return relay, keep_alive
