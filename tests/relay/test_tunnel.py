"""A tunnel in memory: bytes in both directions, close frames at their allowed places, one end."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.errors import NoNode, UpstreamTimeout
from casedesk_proxy.relay.tunnel import Tunnel
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.upstream.connection import NodeConnection
from tests.server.transports import RecordingTransport

HEAD = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
TEXT, CLOSE = b"\x81\x02hi", b"\x88\x02\x03\xe8"
MASKED = b"\x81\x82\0\0\0\0hi"
STOPS = NoNode("the service is shutting down; retry shortly")


class Client:
    def __init__(self) -> None:
        self.transport = RecordingTransport()
        self.reader: asyncio.Protocol | None = None
        self.is_paused = False
        self.left = False

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport | None:
        self.reader = reader
        return None if self.left else self.transport

    def give_back(self) -> None:
        self.reader = None

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Line:
    def __init__(self, early: bytes = b"", *, lost: bool = False, left: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.client, self.node = Client(), RecordingTransport()
        self.client.left = left
        self.connection = NodeConnection(loop)
        self.connection.connection_made(self.node)
        self.connection.buffered_body = early
        if lost:
            self.connection.connection_lost(None)
        self.tunnel = Tunnel(loop, self.client, self.connection)
        self.tunnel.begin(HEAD)

    def say(self, data: bytes) -> None:
        assert self.client.reader is not None
        self.client.reader.data_received(data)

    @property
    def told(self) -> bytes:
        assert self.client.transport.written.startswith(HEAD)
        return self.client.transport.written[len(HEAD) :]


async def test_bytes_go_both_ways_and_are_counted() -> None:
    line = Line(early=TEXT)
    line.tunnel.data_received(TEXT)
    line.say(MASKED)
    assert line.told == TEXT * 2
    assert line.node.written == MASKED
    tunnel = line.tunnel
    assert (tunnel.sent, tunnel.received, tunnel.events) == (8, 8, 3)
    assert tunnel.first_byte is not None
    tunnel.conclude()
    tunnel.keep_alive()
    assert tunnel.terminal is None


async def test_backpressure_both_ways() -> None:
    line = Line()
    line.tunnel.pause()
    assert line.tunnel.paused_at is not None
    line.tunnel.resume()
    assert line.node.asked[-2:] == ["pause", "resume"]
    line.tunnel.pause_writing()
    assert line.client.is_paused
    line.tunnel.resume_writing()
    assert not line.client.is_paused


@pytest.mark.parametrize("by_client", [False, True])
async def test_a_conversation_that_was_closed_is_complete(by_client: bool) -> None:
    line = Line()
    if by_client:
        line.say(CLOSE)
        line.tunnel.leave(Terminal.CLIENT_GONE)
    else:
        line.tunnel.data_received(CLOSE)
        line.tunnel.connection_lost(None)
    assert line.tunnel.terminal is Terminal.COMPLETED
    assert line.told == (b"" if by_client else CLOSE)
    assert line.client.reader is None, "its connection has it back"


@pytest.mark.parametrize("within", [False, True])
async def test_a_lost_node(within: bool) -> None:
    line = Line()
    line.tunnel.data_received(TEXT[:3] if within else TEXT)
    line.tunnel.connection_lost(None)
    assert line.tunnel.terminal is Terminal.NODE_BROKE
    told = line.told.removeprefix(TEXT)
    if within:
        assert told == TEXT[:3], "no frame has a place in another"
    else:
        assert told[:4] == b"\x88\x3e\x03\xf3"
    line.tunnel.data_received(TEXT)
    line.tunnel.connection_lost(None)
    assert line.told.removeprefix(TEXT) == told


async def test_a_stop_closes_both_sides() -> None:
    line = Line()
    line.tunnel.cut(Terminal.SHUT_DOWN, STOPS)
    assert line.told[:4] == b"\x88\x2d\x03\xf4"
    assert line.node.written[:2] == b"\x88\xad"
    assert line.node.asked[-1] == "close", "behind the frame"
    line.tunnel.cut(Terminal.SHUT_DOWN, STOPS)
    assert line.tunnel.terminal is Terminal.SHUT_DOWN


async def test_within_a_frame_of_the_client_the_node_is_just_left() -> None:
    line = Line()
    line.say(MASKED[:4])
    line.tunnel.cut(Terminal.TIMED_OUT, UpstreamTimeout("silent"))
    assert line.told[:4] == b"\x88\x08\x03\xe9"
    assert line.node.written == MASKED[:4]
    assert line.node.asked[-1] == "abort"


async def test_behind_a_close_there_is_no_other() -> None:
    line = Line()
    line.tunnel.data_received(CLOSE)
    line.tunnel.cut(Terminal.SHUT_DOWN, STOPS)
    assert line.told == CLOSE


@pytest.mark.parametrize("how", ["eof", "leave", "closing"])
async def test_a_client_that_goes_frees_the_node(how: str) -> None:
    line = Line()
    if how == "eof":
        assert line.client.reader is not None
        assert line.client.reader.eof_received() is False
    elif how == "leave":
        line.tunnel.leave(Terminal.CLIENT_GONE)
    else:
        line.client.transport.close()
        line.tunnel.data_received(TEXT)
    assert line.tunnel.terminal is Terminal.CLIENT_GONE
    assert line.node.asked[-1] == "abort"


async def test_what_comes_late_has_no_effect() -> None:
    line = Line()
    reader = line.client.reader
    assert reader is not None
    line.node.close()
    reader.data_received(MASKED)
    assert line.tunnel.terminal is None, "its loss is yet to come"
    line.tunnel.leave(Terminal.CLIENT_STALLED)
    reader.data_received(MASKED)
    line.tunnel.resume()
    line.tunnel.resume_writing()
    line.tunnel.pause()
    assert line.node.written == b""
    assert line.tunnel.terminal is Terminal.CLIENT_STALLED


async def test_a_side_that_has_gone_before() -> None:
    assert Line(lost=True).tunnel.terminal is Terminal.NODE_BROKE
    gone = Line(left=True)
    assert gone.tunnel.terminal is Terminal.CLIENT_GONE
    assert gone.node.asked[-1] == "abort"


async def test_a_bug_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.tunnel.fail()
    assert line.tunnel.terminal is Terminal.FAILED
    assert line.told[:4] == b"\x880\x03\xf3"
