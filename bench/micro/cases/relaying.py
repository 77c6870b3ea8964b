"""relay/relay: `data_received` with a client's transport that only stores what is written.

The load's stream: 200 events of 300 bytes and the end, each read one chunk, as from engine/node.c:
the hot path. The parts in the kernel and in uvloop are measured by relay_cost.py. Also as many of
Ollama's lines, and of a WebSocket's frames, to the client and from it, of the same size.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.micro.recorded import Reply, load_events, load_lines
from bench.micro.work import Case, Work
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.relay.tunnel import Tunnel
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
    """``write`` is a builtin, so that only the relay is measured."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[Any] = []
        self.write = self.pieces.append  # type: ignore[method-assign]

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: Any) -> None:
        """The case passes the reads itself."""

    def resume_reading(self) -> None:
        """It never paused."""


class _Loop:
    """The part of a loop that a relay uses."""

    time = staticmethod(time.monotonic)


def _prepare(
    kind: type[VerbatimBody | TrimmedBody] = VerbatimBody,
    load: Callable[[int], Reply] = load_events,
    dialect: Dialect = Dialect.OPENAI,
    form: Form = Form.EVENTS,
) -> Work:
    reads = load(_EVENTS).reads
    passed = [read for read in reads if kind is VerbatimBody or b'"choices":[]' not in read]

    def make() -> tuple[Any, _Transport]:
        client = _Transport()
        loop: Any = _Loop()
        body = kind(ChunkReader(), Content(dialect, form))
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
        assert relay.machine.body.usage(dialect).output == _EVENTS

    return Work(run, check, len(reads), make)


class _Client:
    """The part of a client that a tunnel uses."""

    def __init__(self) -> None:
        self.transport = _Transport()

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport:
        return self.transport

    def give_back(self) -> None:
        """Does nothing: it has no connection."""

    def pause_reading(self) -> None:
        """Does nothing: the node accepts everything."""

    def resume_reading(self) -> None:
        """Does nothing: nothing is paused."""


def _prepare_tunnel(*, up: bool) -> Work:
    """``up``: from the client, whose frames are masked."""
    frames = [frame for one in load_events(_EVENTS).payloads for frame in [_frame(one, up)]]

    def make() -> tuple[Tunnel, _Transport, _Transport]:
        loop: Any = _Loop()
        client, node, to_node = _Client(), NodeConnection(loop), _Transport()
        node.connection_made(to_node)
        tunnel = Tunnel(loop, client, node)
        tunnel.begin(_HEAD)
        return tunnel, client.transport, to_node

    def run(made: tuple[Tunnel, _Transport, _Transport]) -> tuple[Tunnel, _Transport, _Transport]:
        receive = made[0].take if up else made[0].data_received
        for frame in frames:
            receive(frame)
        return made

    def check(made: tuple[Tunnel, _Transport, _Transport]) -> None:
        tunnel, client, node = made
        assert b"".join(client.pieces) == _HEAD + (b"" if up else b"".join(frames))
        assert b"".join(node.pieces) == (b"".join(frames) if up else b"")
        assert tunnel.events == len(frames)
        assert tunnel.terminal is None

    return Work(run, check, len(frames), make)


def _frame(payload: bytes, masked: bool) -> bytes:
    """Of text; a mask of zeros leaves the bytes as they are."""
    mask = bytes(4) if masked else b""
    return b"\x81" + bytes([126 | masked << 7]) + len(payload).to_bytes(2, "big") + mask + payload


CASES = (
    Case("relay/relay", "read relayed", _prepare),
    Case(
        "relay/relay lines",
        "Ollama's line relayed",
        partial(_prepare, load=load_lines, dialect=Dialect.OLLAMA, form=Form.LINES),
    ),
    Case("relay/tunnel", "a WebSocket's frame relayed", partial(_prepare_tunnel, up=False)),
    Case("relay/tunnel up", "the same from the client", partial(_prepare_tunnel, up=True)),
    Case(
        "relay/relay counted",
        "the same, for counts that we asked for",
        partial(_prepare, TrimmedBody),
    ),
)
