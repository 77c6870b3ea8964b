"""Acknowledges what a node sends after a delay, instead of at every read.

If one side only sends, Linux acknowledges each small segment with a separate packet, which costs
the reader 2 µs an event, a sixth of the relay (Linux 6, loopback). A socket option delays that, but
ends permanently once a segment was not followed by another within some 40 ms. So the option is set
again for fast streams.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from functools import partial

from casedesk_proxy.pools.node import LiveReply
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.connection import NodeConnection

__all__ = ["DelayedAcks", "WatchedStream"]

#: Seconds between two checks of a stream.
_PERIOD_S = 2.0
#: At so many events a second the next one usually arrives within the kernel's delay.
_FAST_PER_S = 25
#: Streams in one round of the loop; each takes about a microsecond, a fast one two.
_STREAMS_PER_TURN = 100


class WatchedStream:
    """Call ``end`` when the stream has ended."""

    __slots__ = ("_connection", "_events", "_stream")

    def __init__(self, connection: NodeConnection, stream: LiveReply) -> None:
        self._connection: NodeConnection | None = connection
        self._stream: LiveReply | None = stream
        self._events = stream.events

    def end(self) -> None:
        """Forget the connection, which may be used for another stream."""
        self._connection = self._stream = None

    def look(self, fast: float) -> bool:
        """Renew the delay if ``fast`` events have arrived since the last check; returns whether the
        stream still runs."""
        connection, stream = self._connection, self._stream
        if connection is None or stream is None:
            return False
        before, self._events = self._events, stream.events
        if self._events - before >= fast:
            with contextlib.suppress(OSError):
                connection.delay_acks()
        return True


class DelayedAcks:
    """The streams of one node that sends without waiting for acknowledgements."""

    __slots__ = ("_loop", "_period_s", "_row", "_timer", "_turns")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, turns: Turns, *, period_s: float = _PERIOD_S
    ) -> None:
        self._loop = loop
        self._turns = turns
        self._period_s = period_s
        self._row: deque[WatchedStream] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, connection: NodeConnection, stream: LiveReply) -> WatchedStream:
        watched = WatchedStream(connection, stream)
        self._row.append(watched)
        if len(self._row) == 1:
            self._wait()
        return watched

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._period_s, self._look_round)

    def _look_round(self) -> None:
        self._timer = None
        self._look(len(self._row))

    def _look(self, left: int) -> None:
        """Check some of the next ``left`` streams now, and the rest in turns."""
        number = min(left, _STREAMS_PER_TURN)
        for _ in range(number):
            watched = self._row.popleft()
            if watched.look(_FAST_PER_S * self._period_s):
                self._row.append(watched)
        if left > number:
            self._turns.add(partial(self._look, left - number))
        elif self._row:
            self._wait()
