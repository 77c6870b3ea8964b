"""The translating relay: nothing is sent while a plain error is still possible."""

from __future__ import annotations

import asyncio
import json

import pytest

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.bodies.base import ReplyBody
from casedesk_proxy.replying.bodies.node_error import TranslatedErrorBody
from casedesk_proxy.replying.bodies.translated import ReplyTranslation, TranslatedBody
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.bodies import body_reader
from casedesk_proxy.wire.chunked import LAST_CHUNK, frame_chunk
from casedesk_proxy.wire.http1 import parse_response_head
from tests.fixtures.table import table
from tests.replying.shouting import Shouting
from tests.server.transports import RecordingTransport

LOOP = asyncio.new_event_loop()
CHUNKED = "Transfer-Encoding: chunked"


class Line:
    def __init__(
        self, when: str, *, streams: bool, status: str = "200 OK", chunked: bool = True
    ) -> None:
        self.client, self.node = RecordingTransport(), RecordingTransport()
        connection = NodeConnection(LOOP)
        connection.connection_made(self.node)
        head = parse_response_head(f"HTTP/1.1 {status}\r\n{CHUNKED}".encode())
        reader, bare = body_reader(head), not chunked
        form = Form.EVENTS if streams else Form.UNARY
        translation = ReplyTranslation(Shouting(when), Dialect.GEMINI, form)
        body: ReplyBody
        if head.status == 200:
            body = TranslatedBody(reader, translation, bare=bare)
        else:
            body = TranslatedErrorBody(reader, head, translation, bare=bare)
        machine = ReplyMachine(
            lambda length: b"HEAD%d " % -1 if length is None else b"HEAD%d " % length, body
        )
        self.relay = Relay(LOOP, self.client, machine)
        self.relay.begin(connection)

    def feed(self, *texts: bytes) -> None:
        for text in texts:
            if self.relay.terminal is None:
                self.relay.data_received(frame_chunk(text) if text else LAST_CHUNK)


def test_a_stream_goes_out_as_it_is_translated() -> None:
    line = Line("at once", streams=True)
    assert line.client.written == b""
    line.feed(b"one ")
    assert line.client.written == b"HEAD-1 " + frame_chunk(b"ONE ")
    line.feed(b"two.", b"")
    assert line.client.written.endswith(frame_chunk(b"TWO.") + LAST_CHUNK)
    assert line.relay.terminal is Terminal.COMPLETED
    assert line.relay.clean
    assert line.relay.machine.body.usage(Dialect.GEMINI) == Usage(1, 2)


@table("when", ["late", "early", "at once"])
def test_a_unary_reply_goes_out_whole_at_the_nodes_end(when: str) -> None:
    line = Line(when, streams=False)
    line.feed(b"one ", b"two.")
    assert line.client.written == b""
    line.feed(b"")
    assert line.client.written == b"HEAD8 ONE TWO."
    assert line.relay.terminal is Terminal.COMPLETED


@table("streams", [True, False])
@table("how", ["shout", "cut", "unfinished"])
def test_what_breaks_before_anything_was_sent_is_a_plain_error(streams: bool, how: str) -> None:
    line = Line("late", streams=streams)
    if how == "shout":
        line.feed(b"!")
    elif how == "cut":
        line.feed(b"one")
        line.relay.connection_lost(None)
    else:
        line.feed(b"one", b"")
    assert line.client.written == b""
    assert line.client.asked == []
    assert isinstance(line.relay.machine.fault, StreamBroken)
    assert line.relay.terminal is Terminal.NODE_BROKE


@pytest.mark.parametrize("chunked", [True, False])
def test_what_breaks_later_is_told_in_the_stream(chunked: bool) -> None:
    line = Line("at once", streams=True, chunked=chunked)
    line.feed(b"one ", b"!")
    told = line.client.written.partition(b"<data: ")[2].removesuffix(b"\r\n" if chunked else b"")
    assert told.endswith(b"\r\n\r\n")
    message = json.loads(told)["error"]["message"]
    assert message.startswith("the node shouted by itself; try again")
    assert line.client.asked == ["close"]
    assert line.relay.machine.fault is None


@pytest.mark.parametrize("end", ["", "cut"])
def test_an_error_reply_is_judged(end: str) -> None:
    line = Line("at once", streams=True, status="400 Bad Request")
    line.feed(b"because!")
    if end:
        line.relay.connection_lost(None)
    else:
        line.feed(b"")
    assert line.client.written == b""
    assert line.relay.machine.fault is not None
    assert line.relay.machine.fault.message == "node said 400 8"
    assert line.relay.terminal is Terminal.COMPLETED


def test_an_empty_stream_still_has_a_head() -> None:
    line = Line("late", streams=True, chunked=False)
    line.feed(b".", b"")
    assert line.client.written == b"HEAD-1 ."


@pytest.mark.parametrize("streams", [True, False])
def test_a_node_that_leaves_rudely_after_all_was_said_did_no_harm(streams: bool) -> None:
    line = Line("late", streams=streams)
    line.feed(b"one.")
    line.relay.connection_lost(ConnectionResetError())
    assert b"ONE." in line.client.written
    assert line.relay.terminal is Terminal.COMPLETED
    assert not line.relay.clean


@pytest.mark.parametrize("piece", [b"three ", b"no end!"])
def test_a_client_that_closed_before_anybody_was_told(piece: bytes) -> None:
    """Its transport raises an error at the next write, and the node is released at once."""
    line = Line("at once", streams=True)
    line.feed(b"one ", b"two ")
    line.client.asked.append("close")
    line.feed(piece)
    assert line.relay.terminal in (Terminal.CLIENT_GONE, Terminal.NODE_BROKE)
    assert "abort" in line.node.asked
    assert line.client.written.endswith(frame_chunk(b"TWO "))


@table("cut", range(1, 12))
def test_reads_that_are_not_one_chunk_are_read_all_the_same(cut: int) -> None:
    """Whole chunks, half chunks and several chunks at once alternate, so the fast path is taken and
    left."""
    line = Line("at once", streams=True)
    chunks = [frame_chunk(text) for text in (b"one ", b"two ", b"three ", b"four.")]
    wire = chunks[0] + chunks[1]
    line.relay.data_received(chunks[0])
    line.relay.data_received(wire[:cut])
    line.relay.data_received(wire[cut:])
    line.relay.data_received(chunks[2])
    line.relay.data_received(chunks[3] + LAST_CHUNK)
    assert line.relay.terminal is Terminal.COMPLETED
    assert line.relay.clean
    payload = b"".join(line.client.written.split(b"\r\n")[1::2])
    assert payload == b"ONE ONE TWO THREE FOUR."
    assert line.relay.sent == len(line.client.written) - len(b"HEAD-1 ")
