"""Replies in the client's own protocol: the node's bytes, in its framing or in another one."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import NoNode, StreamBroken
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.replying.bodies.relayed import ReframedBody, VerbatimBody
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.bodies import CloseReader
from casedesk_proxy.wire.chunked import LAST_CHUNK, ChunkReader, frame_chunk
from tests.fixtures.table import table

WORDS = b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'
COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
ABORTED = b'data: {"choices":[{"finish_reason":"abort"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def content() -> Content:
    return Content(Dialect.OPENAI, Form.EVENTS, keepalive=b": \n\n", answers=Dialect.OPENAI)


def verbatim() -> VerbatimBody:
    return VerbatimBody(ChunkReader(), content())


def reframed(*, bare: bool) -> ReframedBody:
    return ReframedBody(CloseReader(), content(), bare=bare)


def feed(body: VerbatimBody | ReframedBody, *pieces: bytes) -> bytes:
    """The bytes for the client."""
    sent = b""
    for piece in pieces:
        used = body.reader.read(piece)
        sent += body.take(piece, used, unsent=False)
    return sent


def test_the_node_s_trailers_are_not_passed_on() -> None:
    wire = frame_chunk(DONE) + b"0\r\n"
    assert feed(verbatim(), wire + b"x-key: secret\r\n\r\n") == wire + b"\r\n"
    assert feed(verbatim(), wire, b"x-key: sec", b"ret\r\n", b"\r\n") == wire + b"\r\n"


def test_an_end_in_the_middle_of_an_answer_is_withheld_and_its_events_are_not() -> None:
    body = verbatim()
    assert feed(body, frame_chunk(WORDS) + LAST_CHUNK) == frame_chunk(WORDS)
    with pytest.raises(StreamBroken, match="before the answer was complete"):
        body.finish(unsent=False)
    told = body.error_bytes(NoNode("gone"))
    assert told.startswith(b"%x\r\ndata: " % (len(told) - 6))
    assert told.endswith(b"\n\n\r\n")


@table("cut", [1, 10, len(frame_chunk(WORDS)) - 1])
def test_a_last_read_that_begins_within_a_chunk_is_not_sent(cut: int) -> None:
    """Where such a read begins, the proxy cannot insert bytes of its own."""
    wire = frame_chunk(WORDS)
    body = verbatim()
    assert feed(body, wire[:cut], wire[cut:] + LAST_CHUNK) == wire[:cut]
    assert body.error_bytes(NoNode("gone")) == b""


def test_an_end_by_itself_has_nothing_to_send_before_the_error() -> None:
    body = verbatim()
    assert feed(body, frame_chunk(WORDS), LAST_CHUNK) == frame_chunk(WORDS)
    assert b"gone" in body.error_bytes(NoNode("gone"))


def test_the_node_s_message_is_ended_in_its_place() -> None:
    body = verbatim()
    feed(body, frame_chunk(DONE))
    assert body.is_answered()
    assert body.finish(unsent=False) == LAST_CHUNK
    feed(body, LAST_CHUNK)
    assert body.finish(unsent=False) == b"", "it has ended it itself"
    inside = verbatim()
    feed(inside, frame_chunk(DONE)[:-1])
    assert not inside.is_answered(), "within a chunk it cannot be ended"


def test_reads_that_went_the_short_way_are_recalled() -> None:
    body = verbatim()
    assert body.fast_path_limit > 0
    body.recall(3, (frame_chunk(WORDS), b"", frame_chunk(COUNTS)))
    assert body.usage(Dialect.OPENAI) == Usage(3, 4)
    assert not body.is_given_up(Dialect.OPENAI)
    body.recall(9, (frame_chunk(ABORTED),))
    assert body.is_given_up(Dialect.OPENAI)


def test_a_long_chunk_goes_by() -> None:
    body, long = verbatim(), frame_chunk(b" " * 9000 + COUNTS)
    assert not body.lets_by(long), "the first is looked at"
    feed(body, frame_chunk(WORDS))
    assert body.lets_by(long)
    assert body.usage(Dialect.OPENAI) == Usage(3, 4)
    assert not reframed(bare=True).lets_by(long)


@table("bare", [True, False])
def test_in_another_framing(bare: bool) -> None:
    body = reframed(bare=bare)
    assert body.fast_path_limit == 0
    assert feed(body, WORDS, DONE) == (
        WORDS + DONE if bare else frame_chunk(WORDS) + frame_chunk(DONE)
    )
    assert body.keep_alive() == (b": \n\n" if bare else frame_chunk(b": \n\n"))
    assert body.finish(unsent=False) == (b"" if bare else LAST_CHUNK)


@table("bare", [True, False])
def test_an_answer_without_its_end_has_none_in_another_framing_either(bare: bool) -> None:
    body = reframed(bare=bare)
    feed(body, WORDS)
    with pytest.raises(StreamBroken, match="before the answer was complete"):
        body.finish(unsent=False)
