"""What all ways of relaying a reply have in common."""

from __future__ import annotations

from casedesk_proxy.errors import NoNode, StreamBroken
from casedesk_proxy.replying.bodies.base import EarlyBody, ReplyBody, frame
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.chunked import ChunkReader, frame_chunk
from tests.fixtures.table import table


def test_a_body_of_which_nothing_goes_out_says_so() -> None:
    """The base class has the answers that a way of passing on a reply need not override."""
    body = ReplyBody(ChunkReader())
    assert body.take(b"x", 1, unsent=True) == b""
    assert body.finish(unsent=True) == b""
    assert (body.keep_alive(), body.error_bytes(NoNode("x")), body.fast_path_limit) == (b"", b"", 0)
    assert (body.is_answered(), body.refusal) == (False, (0, b""))
    assert body.usage(Dialect.OPENAI) == Usage()
    assert not body.is_given_up(Dialect.OPENAI)
    breach = body.judge(StreamBroken("x"), unsent=False)
    assert breach is not None
    assert breach.terminal is Terminal.NODE_BROKE


@table("bare", [True, False])
def test_before_the_nodes_head_there_are_keep_alives_and_an_error(bare: bool) -> None:
    body = EarlyBody(lambda: b"alive", lambda error: error.message.encode(), bare=bare)
    assert body.keep_alive() == frame(b"alive", bare=bare)
    assert body.error_bytes(NoNode("gone")) == frame(b"gone", bare=bare)
    assert body.reader.ended, "nothing of the node's"


def test_nothing_makes_no_chunk() -> None:
    assert frame(b"", bare=False) == b""
    assert frame(b"x", bare=True) == b"x"
    assert frame(b"x", bare=False) == frame_chunk(b"x")
