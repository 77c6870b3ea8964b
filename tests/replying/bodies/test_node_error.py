"""A node's error is collected and judged before anything is sent."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest, NoNode, ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.base import Breach
from casedesk_proxy.replying.bodies.node_error import NodeErrorBody, TranslatedErrorBody
from casedesk_proxy.replying.bodies.translated import ReplyTranslation
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.bodies import CloseReader, LengthReader
from casedesk_proxy.wire.chunked import frame_chunk
from casedesk_proxy.wire.http1 import parse_response_head
from tests.fixtures.table import table
from tests.replying.shouting import Shouting

HEAD = parse_response_head(b"HTTP/1.1 503 X\r\nConnection: close")


def relayed(fault: ProxyError | None = None, length: int = 5) -> NodeErrorBody:
    return NodeErrorBody(LengthReader(length), lambda body: fault)


def translated(key: str | None = None, *, bare: bool = False) -> TranslatedErrorBody:
    translation = ReplyTranslation(Shouting("at once"), Dialect.OPENAI, Form.EVENTS, key)
    return TranslatedErrorBody(CloseReader(), HEAD, translation, bare=bare)


def feed(body: NodeErrorBody | TranslatedErrorBody, *pieces: bytes) -> None:
    for piece in pieces:
        used = body.reader.read(piece)
        assert body.take(piece, used, unsent=True) == b"", "nothing goes out before it is judged"


def test_a_body_in_shape_goes_out_as_it_came() -> None:
    body = relayed()
    feed(body, b"he", b"llo")
    assert body.finish(unsent=True) == b"hello"


def test_a_judged_one_is_said_in_our_words() -> None:
    fault = BadRequest("m")
    body = relayed(fault)
    feed(body, b"hello")
    assert body.finish(unsent=True) == Breach(fault, Terminal.COMPLETED)


def test_an_error_that_was_cut_is_still_one() -> None:
    cut, fault = StreamBroken("x"), BadRequest("m")
    for judged, told in ((None, cut), (fault, fault)):
        body = relayed(judged)
        feed(body, b"he")
        breach = body.judge(cut, unsent=True)
        assert breach == Breach(told, Terminal.COMPLETED)


def test_one_that_does_not_end_is_none() -> None:
    for body in (relayed(length=10 * MAX_ERROR_BYTES), translated()):
        with pytest.raises(StreamBroken, match="too long"):
            feed(body, b"x" * MAX_ERROR_BYTES, b"x")
    whole = relayed(length=MAX_ERROR_BYTES + 1)
    feed(whole, b"x" * (MAX_ERROR_BYTES + 1))
    assert whole.finish(unsent=True), "it is all there"


@table("unsent", [True, False])
def test_a_translated_one_is_always_said_in_our_words(unsent: bool) -> None:
    body = translated()
    feed(body, b"0123456789")
    assert body.refusal == (503, b"0123456789")
    assert body.usage(Dialect.OPENAI) == Usage(1, 2), "the translator's"
    for breach in (body.finish(unsent=unsent), body.judge(StreamBroken("x"), unsent=unsent)):
        assert isinstance(breach, Breach)
        assert breach.error.message == "node said 503 10"
        assert breach.terminal is (Terminal.COMPLETED if unsent else Terminal.REFUSED)


def test_the_nodes_key_is_not_told() -> None:
    body = translated("secret-key")
    feed(body, b"bad key secret-key")
    breach = body.finish(unsent=True)
    assert isinstance(breach, Breach)
    assert breach.error.message == f"node said 503 {len(b'bad key ...')}"


def test_behind_keep_alives_it_is_told_in_the_stream() -> None:
    told = translated(bare=True).error_bytes(NoNode("gone"))
    assert told.startswith(b"<data: "), "behind what was due"
    assert b"gone" in told
    assert translated().error_bytes(NoNode("gone")) == frame_chunk(told)
