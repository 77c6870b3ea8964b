"""The relay: exactly the node's bytes and end, and never a regular end after a failure."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import ProxyError, UpstreamTimeout
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.bodies.base import ReplyBody
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.replying.bodies.relayed import ReframedBody, VerbatimBody
from casedesk_proxy.replying.bodies.trimmed import TrimmedBody
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.wire.bodies import BodyReader, CloseReader, LengthReader
from casedesk_proxy.wire.chunked import LAST_CHUNK, ChunkReader, frame_chunk
from tests.fixtures.table import table
from tests.server.transports import RecordingTransport

ERROR = b"data: error\n\n"
LOOP = asyncio.new_event_loop()


class Brief(Content):
    """Writes errors in few words."""

    def error_bytes(self, error: ProxyError, *, bare: bool) -> bytes:
        return ERROR if super().error_bytes(error, bare=False) else b""


class Line:
    """A relay between two recording transports."""

    def __init__(
        self,
        reader: BodyReader,
        *,
        reframe: bool | None = None,
        trim: bool = False,
        early: bytes = b"",
        answers: Dialect | None = None,
        lost: bool = False,
    ):
        self.client = RecordingTransport()
        self.node = RecordingTransport()
        self.connection = NodeConnection(LOOP)
        self.connection.connection_made(self.node)
        self.connection.buffered_body = early
        if lost:
            self.connection.connection_lost(None)
        content = Brief(Dialect.OPENAI, Form.EVENTS, answers=answers)
        body: ReplyBody
        if trim:
            body = TrimmedBody(reader, content)
        elif reframe is None:
            body = VerbatimBody(reader, content)
        else:
            body = ReframedBody(reader, content, bare=not reframe)
        self.relay = Relay(LOOP, self.client, ReplyMachine(lambda length: b"HEAD", body))
        self.relay.begin(self.connection)

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.node.is_closing():
                self.relay.data_received(piece)

    @property
    def body(self) -> bytes:
        assert self.client.written.startswith(b"HEAD")
        return self.client.written[4:]


def split(wire: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    return [wire[a:b] for a, b in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(0, 5000), max_size=30)
PAYLOADS = st.lists(
    st.one_of(st.binary(min_size=1, max_size=400), st.just(b"0\r\n\r\n"), st.just(b"\r\n")),
    max_size=10,
)


@given(PAYLOADS, CUTS, st.booleans())
def test_a_chunked_body_arrives_as_the_node_sent_it(
    payloads: list[bytes], cuts: list[int], whole_chunks: bool
) -> None:
    chunks = [*map(frame_chunk, payloads), b"0;x=y\r\n\r\n"]
    wire = b"".join(chunks)
    line = Line(ChunkReader())
    line.feed(*(chunks if whole_chunks else split(wire, cuts)))
    assert line.body == wire
    assert line.relay.terminal is Terminal.COMPLETED
    assert line.relay.clean
    assert line.relay.sent == len(wire)
    assert line.node.protocol is line.connection
    assert line.client.asked == []


@given(PAYLOADS, st.integers(1, 4000))
def test_a_cut_anywhere_never_looks_complete(payloads: list[bytes], keep: int) -> None:
    wire = b"".join(map(frame_chunk, payloads)) + LAST_CHUNK
    cut = wire[: keep % len(wire)]
    line = Line(ChunkReader())
    line.feed(*split(cut, [3, 50, 51]))
    line.relay.connection_lost(None)
    assert line.relay.terminal is Terminal.NODE_BROKE
    assert line.client.asked == ["close"]
    client = ChunkReader()
    client.read(line.body)
    assert not client.ended
    # What follows the last chunk's line waits until it is known to be no trailer.
    sent = cut.removesuffix(b"\r") if wire.removesuffix(b"\n") == cut else cut
    assert line.body.removesuffix(frame_chunk(ERROR)) == sent


def test_what_follows_the_end_goes_to_nobody() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"x") + LAST_CHUNK + b"HTTP/1.1 200 OK\r\n")
    assert line.body == frame_chunk(b"x") + LAST_CHUNK
    assert line.relay.terminal is Terminal.COMPLETED
    assert not line.relay.clean
    assert line.node.asked == ["resume", "abort"]


def test_malformed_framing_is_not_passed_on() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n"), b"zz\r\n")
    assert line.body == frame_chunk(b"data: 1\n\n") + frame_chunk(ERROR)
    assert line.relay.terminal is Terminal.NODE_BROKE
    assert line.node.asked[-1] == "abort"


@table(
    ("sent", "told"),
    [
        ([], True),
        ([frame_chunk(b"data: 1\n\n")], True),
        ([frame_chunk(b"data: 1\n\n"), frame_chunk(b"data: 2\n\n")], True),
        ([frame_chunk(b"data: 1\n\n"), frame_chunk(b"data: 2")], False),
        ([frame_chunk(b"data: 1\n\n"), frame_chunk(b"data: 2\n\n")[:-1]], False),
    ],
)
def test_the_error_is_told_between_events_only(sent: list[bytes], told: bool) -> None:
    line = Line(ChunkReader())
    line.feed(*sent)
    line.relay.connection_lost(ConnectionResetError())
    assert line.body == b"".join(sent) + (frame_chunk(ERROR) if told else b"")
    assert line.client.asked == ["close"]


@given(st.binary(max_size=2000), CUTS, st.binary(max_size=5))
def test_a_counted_body(body: bytes, cuts: list[int], surplus: bytes) -> None:
    line = Line(LengthReader(len(body)))
    line.feed(*split(body + surplus, cuts))
    assert line.body == body
    assert line.relay.terminal is Terminal.COMPLETED
    assert line.client.asked == []


def test_a_counted_body_cut_short() -> None:
    line = Line(LengthReader(10))
    line.feed(b"12345")
    line.relay.connection_lost(None)
    assert (line.body, line.relay.terminal) == (b"12345", Terminal.NODE_BROKE)
    assert line.client.asked == ["close"]


@given(st.binary(max_size=500), CUTS)
def test_a_body_that_ends_with_its_connection(body: bytes, cuts: list[int]) -> None:
    line = Line(CloseReader(), reframe=True)
    line.feed(*split(body, cuts))
    assert line.relay.terminal is None
    line.relay.connection_lost(None)
    client = ChunkReader()
    received = b""
    for piece in split(line.body, cuts):
        client.read(piece)
        received += b"".join(client.payload)
    assert received == body
    assert client.ended
    assert line.relay.terminal is Terminal.COMPLETED


def test_a_reset_is_no_end_of_a_body_without_length() -> None:
    line = Line(CloseReader(), reframe=True)
    line.feed(b"data: 1\n\n")
    line.relay.connection_lost(ConnectionResetError())
    assert line.body == frame_chunk(b"data: 1\n\n") + frame_chunk(ERROR)
    assert line.relay.terminal is Terminal.NODE_BROKE


def test_chunks_become_bare_bytes_for_an_old_client() -> None:
    line = Line(ChunkReader(), reframe=False)
    line.feed(*split(frame_chunk(b"ab") + frame_chunk(b"cd") + LAST_CHUNK, [1, 4, 9]))
    assert line.body == b"abcd"
    assert line.relay.clean


def test_what_came_before_the_relay_is_relayed_first() -> None:
    line = Line(ChunkReader(), early=frame_chunk(b"a") + LAST_CHUNK)
    assert line.body == frame_chunk(b"a") + LAST_CHUNK
    assert line.relay.terminal is Terminal.COMPLETED


def test_a_node_that_left_before_the_relay_began() -> None:
    line = Line(ChunkReader(), early=frame_chunk(b"data: 1\n\n"), lost=True)
    assert line.body == frame_chunk(b"data: 1\n\n") + frame_chunk(ERROR)
    assert line.relay.terminal is Terminal.NODE_BROKE


def test_backpressure_pauses_the_node() -> None:
    line = Line(ChunkReader())
    line.relay.pause()
    assert line.relay.paused_at is not None
    line.relay.resume()
    assert line.relay.paused_at is None
    assert line.node.asked == ["resume", "pause", "resume"]


@pytest.mark.parametrize("terminal", [Terminal.CLIENT_GONE, Terminal.CLIENT_STALLED])
def test_a_client_that_leaves_frees_the_node_at_once(terminal: Terminal) -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n"))
    line.relay.leave(terminal)
    assert line.relay.terminal is terminal
    assert line.node.asked[-1] == line.client.asked[-1] == "abort"
    assert line.body == frame_chunk(b"data: 1\n\n")


def test_a_silent_node_is_cut_and_the_client_told() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n"))
    line.relay.cut(Terminal.TIMED_OUT, UpstreamTimeout("silent"))
    assert line.body.endswith(frame_chunk(ERROR))
    assert line.relay.terminal is Terminal.TIMED_OUT
    assert (line.client.asked, line.node.asked[-1]) == (["close"], "abort")


def test_a_relay_ends_once() -> None:
    line = Line(ChunkReader())
    line.feed(LAST_CHUNK)
    line.relay.leave(Terminal.CLIENT_GONE)
    line.relay.cut(Terminal.TIMED_OUT, UpstreamTimeout("silent"))
    line.relay.connection_lost(None)
    assert line.relay.terminal is Terminal.COMPLETED
    assert line.client.asked == []


@pytest.mark.parametrize("whole_chunks", [True, False])
def test_usage_is_found_whatever_the_pieces(whole_chunks: bool) -> None:
    events = [b"data: %d\n\n" % n for n in range(50)]
    events += [
        b'data: {"usage":{"prompt_tokens":3,"completion_tokens":50}}\n\n',
        b"data: [DONE]\n\n",
    ]
    chunks = [*map(frame_chunk, events), LAST_CHUNK]
    line = Line(ChunkReader())
    line.feed(*(chunks if whole_chunks else split(b"".join(chunks), list(range(0, 900, 7)))))
    line.relay.recall()
    assert line.relay.machine.body.usage(Dialect.OPENAI) == Usage(3, 50)
    if whole_chunks:
        assert line.relay.events == len(chunks)


@table("piece", [frame_chunk(b"data: 2\n\n"), b"3\r\nab", LAST_CHUNK])
def test_a_client_whose_transport_closed_before_its_protocol_was_told(piece: bytes) -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n"), frame_chunk(b"data: 1\n\n"))
    line.client.abort()
    line.feed(piece)
    assert line.relay.terminal is Terminal.CLIENT_GONE
    assert line.node.asked[-1] == "abort"


@table("size", [1, 7, 40, 200])
def test_a_finished_answer_in_crumbs_is_finished(size: int) -> None:
    """Each fragment is a chunk and a read of its own. The tap sees only the last three, and must
    not take earlier bytes for their beginning."""
    events = [b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'] * 5
    events.append(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"a":1}}\n\n')
    body = b"".join(events)
    line = Line(ChunkReader(), answers=Dialect.OPENAI)
    crumbs = [frame_chunk(body[n : n + size]) for n in range(0, len(body), size)]
    half = len(crumbs) // 2  # come in one read
    line.feed(b"".join(crumbs[:half]), *crumbs[half:], LAST_CHUNK)
    assert line.relay.terminal is Terminal.COMPLETED
    assert line.body.endswith(LAST_CHUNK)


@table("reframe", [None, True, False])
@table("early", [True, False])
def test_a_byte_in_each_chunk_costs_a_round_no_more(reframe: bool | None, early: bool) -> None:
    """The rest of such a read waits for the next round, and the node waits with it."""
    crumbs = frame_chunk(b"x") * 2000
    wire = crumbs + LAST_CHUNK
    line = Line(ChunkReader(), reframe=reframe, early=wire if early else b"")
    if not early:
        line.feed(wire)
    first = len(line.body)
    assert 0 < first < len(wire) / 3
    assert line.node.asked[-1] == "pause"
    rounds = 0
    while line.relay.terminal is None:
        run_a_round()
        rounds += 1
    assert rounds == 3
    if reframe:
        reader, body = ChunkReader(), line.body
        assert reader.read(body) == len(body)
        assert b"".join(reader.payload) == b"x" * 2000
    else:
        assert line.body == (wire if reframe is None else b"x" * 2000)
    assert line.relay.clean
    assert line.node.protocol is line.connection
    assert line.node.asked[-1] == "resume"


def test_what_waits_goes_out_before_the_end() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n") * 1200)
    line.relay.connection_lost(None)
    assert line.relay.terminal is None
    for _ in range(5):
        run_a_round()
    assert line.body == frame_chunk(b"data: 1\n\n") * 1200 + frame_chunk(ERROR)
    assert line.relay.terminal is Terminal.NODE_BROKE


@table("how", ["fin", "reset"])
def test_a_node_that_closes_behind_what_waits_is_not_used_again(how: str) -> None:
    """The reply is complete by then, and a transport does not report that a half-closed connection
    ends."""
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n") * 1200 + LAST_CHUNK)
    if how == "fin":
        line.relay.eof_received()
    else:
        line.relay.connection_lost(ConnectionResetError())
    while line.relay.terminal is None:
        run_a_round()
    assert line.relay.terminal is Terminal.COMPLETED
    assert not line.relay.clean
    assert line.connection.lost


def test_behind_a_large_read_the_node_waits_for_a_round() -> None:
    line = Line(LengthReader(400_000))
    line.feed(b"x" * 300_000)
    assert line.node.asked[-1] == "pause"
    run_a_round()
    assert line.node.asked[-1] == "resume"
    assert line.relay.events == 1, "nothing came in between"
    line.feed(b"x" * 100_000)
    assert line.body == b"x" * 400_000
    assert line.relay.clean


def test_what_waits_waits_for_a_client_that_is_full() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"x") * 1200)
    sent = line.body
    line.relay.pause()
    line.relay.connection_lost(None)
    for _ in range(3):
        run_a_round()
    assert line.body == sent
    assert line.relay.terminal is None
    line.relay.resume()
    while line.relay.terminal is None:
        run_a_round()
    assert line.body.startswith(frame_chunk(b"x") * 1200)


def test_what_waits_goes_nowhere_once_the_client_has_left() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"x") * 1200)
    sent = line.body
    line.relay.leave(Terminal.CLIENT_GONE)
    for _ in range(5):
        run_a_round()
    assert line.body == sent
    assert line.client.asked == ["abort"]


def test_a_client_that_reads_again_wakes_no_node_whose_bytes_still_wait() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"x") * 1200)
    line.relay.pause()
    line.relay.resume()
    assert line.node.asked[-1] == "pause"


def run_a_round() -> None:
    LOOP.call_soon(LOOP.stop)
    LOOP.run_forever()


TRAILERS = b"Set-Cookie: s=1\r\nAccess-Control-Allow-Origin: *\r\nx-checksum: 7\r\n"


@table("last", [b"0\r\n", b"000;ext=1\r\n"])
@table("trailers", [b"", TRAILERS])
def test_no_trailer_of_a_node_reaches_a_client(last: bytes, trailers: bytes) -> None:
    body = frame_chunk(b"data: 1\n\n") + frame_chunk(b"data: [DONE]\n\n")
    message = body + last + trailers + b"\r\n"
    for cut in range(len(message)):
        line = Line(ChunkReader())
        line.feed(message[:cut], message[cut:])
        assert line.body == body + last + b"\r\n", cut
        assert line.relay.terminal is Terminal.COMPLETED
        assert line.relay.clean
        assert line.relay.sent == len(line.body)
    line = Line(ChunkReader())
    line.feed(*[bytes([one]) for one in message])
    assert line.body == body + last + b"\r\n"


def test_a_connection_that_ends_within_trailers_is_a_cut() -> None:
    line = Line(ChunkReader())
    line.feed(frame_chunk(b"data: 1\n\n") + b"0\r\nx-checksum: 7\r\n")
    line.relay.connection_lost(None)
    assert line.relay.terminal is Terminal.NODE_BROKE
    assert line.body == frame_chunk(b"data: 1\n\n") + b"0\r\n"


def test_counts_that_come_in_one_chunk_with_an_event_like_those_before() -> None:
    event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    counts = b'data: {"choices":[],"usage":{"completion_tokens":1}}\n\n'
    line = Line(ChunkReader(), trim=True)
    line.feed(*[frame_chunk(event)] * 4, frame_chunk(event + counts), frame_chunk(event))
    line.feed(frame_chunk(event[:-1]), frame_chunk(b"\n" + counts), LAST_CHUNK)
    assert b"".join(line.body.split(b"\r\n")[1::2]) == event * 7
    assert line.relay.terminal is Terminal.COMPLETED
