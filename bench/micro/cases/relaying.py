"""relay/relay: `data_received` with a client's transport that only remembers.

The load's stream: 200 events of 300 bytes and the end, each read one chunk, as from engine/node.c:
the hot path. Its parts in the kernel and in uvloop are relay_cost.py's to measure.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

from bench.micro.recorded import load_events
from bench.micro.work import Case, Work
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.replying.bodies.relayed import VerbatimBody
from casedesk_proxy.replying.bodies.trimmed import TrimmedBody
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.chunked import ChunkReader

_EVENTS = 200
_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class _Transport(asyncio.Transport):
    """``write`` is a builtin, so that nothing is measured but the relay."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[Any] = []
        self.write = self.pieces.append  # type: ignore[method-assign]

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: Any) -> None:
        """The reads are handed over by the case."""

    def resume_reading(self) -> None:
        """It never paused."""


class _Loop:
    """As much of a loop as a relay asks for."""

    time = staticmethod(time.monotonic)


def _prepare(kind: type[VerbatimBody | TrimmedBody] = VerbatimBody) -> Work:
    reads = load_events(_EVENTS).reads
    passed = [read for read in reads if kind is VerbatimBody or b'"choices":[]' not in read]

    def make() -> tuple[Any, _Transport]:
        client = _Transport()
        loop: Any = _Loop()
        body = kind(ChunkReader(), Content(Dialect.OPENAI, Form.EVENTS))
        relay = Relay(loop, client, ReplyMachine(lambda _: _HEAD, body))
        node = NodeConnection(loop)
        node.connection_made(_Transport())
        relay.begin(node)
        return relay, client

    def run(made: tuple[Any, _Transport]) -> tuple[Any, _Transport]:
        receive = made[0].data_received
        for read in reads:
            receive(read)
        return made

    def check(made: tuple[Any, _Transport]) -> None:
        relay, client = made
        assert b"".join(client.pieces) == _HEAD + b"".join(passed)
        assert relay.terminal is Terminal.COMPLETED
        assert relay.events == len(reads)
        assert relay.sent == sum(map(len, passed))
        assert relay.machine.body.usage(Dialect.OPENAI).output == _EVENTS

    return Work(run, check, len(reads), make)


CASES = (
    Case("relay/relay", "read relayed", _prepare),
    Case(
        "relay/relay counted",
        "the same, for counts that we asked for",
        partial(_prepare, TrimmedBody),
    ),
)
