"""The relay: a reply's body on its way from a node's connection to a client's transport.

While a relay runs it *is* the node transport's protocol: what the node sends arrives in
``data_received`` and leaves in the same call, without a task, a stream reader or a queue. A client
that reads slowly pauses its node. Both connections can be used again after the message's end.

Its `ReplyMachine` decides what is sent and how the reply ends. A read that is exactly one chunk of
a running stream is passed on without asking the machine; the relay reports such reads to it before
the next event. A relay ends once, in one terminal state; code that waits for the end uses
``progress``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.relay.node_side import NodeSide
from casedesk_proxy.relay.parting import part_with
from casedesk_proxy.relay.passing import Passing
from casedesk_proxy.relay.progress import Progress
from casedesk_proxy.replying.bodies.trimmed import EVENT_END, NOWHERE, find_choices
from casedesk_proxy.replying.commands import Command, End, Postpone
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.chunked import HEAD_PARTS, HEADS

__all__ = ["Relay"]

log = logging.getLogger(__name__)

#: Seconds to wait for the message's end after the protocol's last event, usually the next packet.
_CONCLUDE_AFTER_S, _AGAIN_AFTER_S = 0.05, 0.01
_CRLF, _LINE_FEED = (slice(-2, None), b"\r\n"), ord("\n")
_WHOLE_EVENT = slice(-len(EVENT_END), None), EVENT_END


class Relay(Passing):
    """Carries out what ``machine`` decides. By the loop's clock, ``first_byte`` is when the node's
    first body bytes arrived, ``paused_at`` since when the client's buffer has been full. ``clean``:
    the node's connection is at a message's end."""

    __slots__ = (
        "_behind", "_choices", "_client", "_concluding", "_fast_path_limit", "_feed",
        "_has_fast_path", "_is_changed", "_last", "_loop", "_node", "_place", "_rest", "_tail",
        "_turns", "_write", "clean", "first_byte", "paused_at", "progress",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        machine: ReplyMachine,
        turns: Turns | None = None,
    ) -> None:
        super().__init__(machine)
        self._loop, self._client, self._write = loop, client, client.write
        self._node = NodeSide()
        self._fast_path_limit = 0  # The machine's, while it has one.
        self._has_fast_path = is_on(Trick.ONE_CHUNK)
        self._feed: Callable[[bytes], bytes] | None = None  # Translates a chunk's payload.
        self._is_changed = False  # Whether chunks must be translated or examined.
        #: The end of a chunk that may take the fast path. For examined chunks see `find_choices`.
        self._last, self._tail = _CRLF
        self._place, self._choices, self._behind = NOWHERE
        self._rest: bytes | None = None  # The node's bytes that wait: see `Postpone`.
        self._concluding: asyncio.TimerHandle | None = None
        self._turns = turns or Turns(loop)
        self.progress = Progress(loop, self._turns)
        self.clean = False
        self.first_byte: float | None = None
        self.paused_at: float | None = None

    def begin(self, connection: NodeConnection) -> None:
        """Send the head with the body bytes so far, and attach to the node's connection."""
        early = self._node.take(connection)
        body = self.machine.body
        self._feed = body.feed
        self._is_changed = body.is_trimmed or body.feed is not None
        if body.is_trimmed:
            self._last, self._tail = _WHOLE_EVENT
        if early and not body.reader.ended:
            self.data_received(early)
        else:
            self._attempt(lambda: self.machine.open(surplus=bool(early)))
        if self.terminal is None:
            if not self._node.attach(self):
                self.connection_lost(connection.lost_by)
            elif self.paused_at is not None or self._rest is not None:
                self._node.pause()

    def leave(self, terminal: Terminal) -> None:
        """The client has left, or reads no more: close both sides at once."""
        if self.terminal is not None:
            return
        try:
            self.recall()
            commands = self.machine.leave(terminal)
        except Exception:
            log.exception("internal error as a client left")
            commands = self.machine.abandon(terminal)
        self._carry_out(commands)

    def conclude(self) -> None:
        """End a reply whose answer is complete although its node has not ended the message."""
        self._attempt(self.machine.conclude)

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        """Stop a stream whose client still reads; the client gets the reason if it can be sent."""
        self._prepare()
        self._carry_out(self.machine.cut(terminal, error))

    def keep_alive(self) -> None:
        """Send a keepalive, if the reply is at a place where it may be sent."""
        if self.terminal is None and self.paused_at is None:
            self._prepare()
            self._carry_out(self.machine.tick())

    def fail(self) -> None:
        """Handle an internal error. The client gets an error if one can be sent."""
        log.exception("internal error while a reply was delivered")
        self.clean = False
        try:
            if self.terminal is None:
                self._prepare()
                self._carry_out(self.machine.fail())
        except Exception:
            log.exception("an internal error could not be reported to the client")
        finally:
            if self.terminal is None:
                self._carry_out(self.machine.abandon(Terminal.FAILED))
            elif not self.clean:
                self._node.let_go(clean=False)

    def data_received(self, data: bytes) -> None:
        # The hot path: nearly every read is exactly one chunk (bench/NOTES.md).
        size = len(data)
        if (
            size < self._fast_path_limit
            and data[HEAD_PARTS[size]] == HEADS[size]
            and data[self._last] == self._tail
        ):
            if self._is_changed:
                if self._feed is not None:
                    self._translate(self._feed, data)
                    return
                if data[self._place] != self._choices or _LINE_FEED in data[self._behind]:
                    if (found := find_choices(data)) is None:
                        self._consider(data)
                        return
                    self._place, self._choices, self._behind = found
            try:
                self._write(data)
            except RuntimeError:
                # uvloop raises this if the client has closed; a check would cost time per event.
                self._lose_client()
                return
            self._last_but_two = self._last_but_one
            self._last_but_one = self._latest
            self._latest = data
            self._passed_bytes += size
            self._passed += 1
            return
        self._consider(data)

    def _consider(self, data: bytes) -> None:
        self._fast_path_limit = 0
        if self.terminal is not None:
            self.clean = False
        elif self._client.is_closing():
            self._lose_client()
        else:
            self._take(data)

    def _lose_client(self) -> None:
        """The client has closed. Leave in a later round; until then do not read the node."""
        self._node.pause()
        self._turns.defer(partial(self.leave, Terminal.CLIENT_GONE))

    def eof_received(self) -> bool:
        """The node has ended its side. In a later round, end the reply, then the connection."""
        has_halves = self._node.has_halves
        self.connection_lost(None)
        return has_halves and self.terminal is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._node.lose()
        if self.terminal is not None:
            self.clean = False
        else:
            self._turns.defer(partial(self._lose, exc))

    def _lose(self, exc: Exception | None) -> None:
        if self.terminal is not None:
            self.clean = False
        elif self._rest is not None and self.paused_at is not None:
            self._loop.call_later(_AGAIN_AFTER_S, self._lose, exc)
        elif self._rest is not None:
            # The bytes that arrived before this are sent before it.
            self._loop.call_soon(self._lose, exc)
        else:
            self._attempt(lambda: self.machine.lose(reset=exc is not None))

    def _translate(self, feed: Callable[[bytes], bytes], data: bytes) -> None:
        try:
            body = feed(data[data.index(b"\n") + 1 : -2])
        except StreamBroken as error:
            broken = error
            self._attempt(lambda: self.machine.stumble(broken))
            return
        except Exception:
            self.fail()
            return
        self._passed += 1
        if body:
            framed = b"%x\r\n%b\r\n" % (len(body), body)
            try:
                self._write(framed)
                self._passed_bytes += len(framed)
            except RuntimeError:
                self._lose_client()

    def _take(self, data: bytes) -> None:
        machine = self.machine
        try:
            if self._passed:
                self.recall()
            commands = machine.data(data)
            if self.first_byte is None and machine.reads:
                self.first_byte = self._loop.time()
            self._carry_out(commands)
            if self._has_fast_path:
                self._fast_path_limit = machine.fast_path_limit
        except Exception:
            self.fail()

    def pause(self) -> None:
        """Pause the node: the client's buffer is full."""
        self.paused_at = self._loop.time()
        self._node.pause()

    def resume(self) -> None:
        self.paused_at = None
        if self._rest is not None:
            self._loop.call_soon(self._go_on)
        else:
            self._node.resume()

    def _attempt(self, event: Callable[[], Iterable[Command]]) -> None:
        try:
            self._prepare()
            self._carry_out(event())
        except Exception:
            self.fail()

    def _prepare(self) -> None:
        """Report to the machine, before it gets an event, all that happened meanwhile."""
        self.recall()
        if self._client.is_closing():
            self.machine.unreachable()

    def _carry_out(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, bytes):
                self._write(command)
                self.progress.begin()
            elif isinstance(command, End):
                self._end(command)
            elif isinstance(command, Postpone):
                self._rest = command.rest
                self._node.pause()
                self._loop.call_soon(self._go_on)
            elif self._concluding is None:
                self._concluding = self._loop.call_later(_CONCLUDE_AFTER_S, self.conclude)

    def _go_on(self) -> None:
        rest = self._rest
        if rest is not None and self.terminal is None and self.paused_at is None:
            self._rest = None
            self._node.resume()
            self.data_received(rest)

    def _end(self, end: End) -> None:
        self.terminal, self.clean = end.terminal, end.clean and not self._node.is_lost
        self._fast_path_limit = 0
        if self._concluding is not None:
            self._concluding.cancel()
        try:
            self._node.let_go(clean=self.clean)
        finally:
            try:
                part_with(self._loop, self._client, end.parting, self.machine.drop)
            finally:
                self.progress.end()
