"""The state of a reply in the client's own protocol while its bytes pass."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest, Busy, NodeError, NoNode, ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.content import ArrayRest, Content
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import Dialect, Position, Usage
from tests.fixtures.table import table

ERROR = b'data: {"error":{"message":"no","code":503}}\n\n'
WORDS = b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'
COUNTS = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
ABORTED = b'data: {"choices":[{"finish_reason":"abort"}]}\n\n'


def content(fault: ProxyError | None = None, **more: Any) -> Content:
    within = None if fault is None else lambda error: fault
    return Content(Dialect.OPENAI, Form.EVENTS, answers=Dialect.OPENAI, within=within, **more)


def test_an_error_that_comes_first_is_judged() -> None:
    with pytest.raises(NodeError):
        content(NoNode("x")).take(ERROR, unsent=True)
    assert content(NoNode("x")).take(ERROR, unsent=False) == ERROR, "the client has its head"
    assert content().take(ERROR, unsent=True) == ERROR, "nobody judges it"


def test_how_an_answer_begins_is_told_once() -> None:
    seen: list[bytes] = []
    reply = content(NoNode("x"), on_first_bytes=seen.append)
    with pytest.raises(NodeError):
        reply.take(ERROR, unsent=True)
    for piece in (b"", WORDS, COUNTS):
        reply.take(piece, unsent=False)
    assert seen == [WORDS]


@table(
    ("fault", "unsent", "answered", "terminal", "lost"),
    [
        (BadRequest("m"), True, 400, Terminal.COMPLETED, False),
        (Busy("m"), True, 503, Terminal.NODE_BROKE, True),
        (Busy("m"), True, 500, Terminal.NODE_BROKE, False),
    ],
)
def test_whose_fault_an_error_is(
    fault: ProxyError, unsent: bool, answered: int, terminal: Terminal, lost: bool
) -> None:
    breach = content(fault).judge(NodeError(answered, ERROR), unsent=unsent)
    assert (breach.error, breach.terminal, breach.lost) == (fault, terminal, lost)


@table(
    ("fault", "error", "unsent"),
    [
        (BadRequest("m"), StreamBroken("x"), True),
        (BadRequest("m"), NodeError(400, ERROR), False),
        (None, NodeError(400, ERROR), True),
    ],
)
def test_what_breaks_otherwise_is_the_nodes(
    fault: ProxyError | None, error: StreamBroken, unsent: bool
) -> None:
    breach = content(fault).judge(error, unsent=unsent)
    assert (breach.error, breach.terminal, breach.lost) == (error, Terminal.NODE_BROKE, False)


@table("missed", [False, True])
def test_of_a_stream_that_begins_and_ends_with_the_same_comment_the_middle_counts(
    missed: bool,
) -> None:
    ping = b": ping\n\n"
    seen = content()
    seen.take(ping, unsent=False)
    seen.recall([ping] * 3, missed=missed)
    assert seen.is_complete() is missed, "comments alone are no answer"


def test_what_went_by_unseen_is_recalled() -> None:
    seen = content()
    seen.take(WORDS, unsent=False)
    seen.recall([WORDS, COUNTS], missed=True)
    assert seen.tap.last == WORDS + COUNTS
    assert seen.tap.usage(Dialect.OPENAI) == Usage(3, 4)
    seen.recall([ABORTED], missed=False)
    assert seen.tap.last == WORDS + COUNTS + ABORTED
    assert seen.is_given_up(Dialect.OPENAI)


def test_signs_of_life_stand_between_events_alone() -> None:
    seen = content(keepalive=b": \n\n")
    assert seen.keep_alive() == b": \n\n"
    seen.take(WORDS[:-1], unsent=False)
    assert seen.keep_alive() == b""
    seen.take(b"\n", unsent=False)
    assert seen.keep_alive() == b": \n\n"
    assert content().keep_alive() == b""


def test_an_answer_without_its_end_is_missed() -> None:
    seen = content()
    seen.take(WORDS, unsent=False)
    assert not seen.is_complete()
    with pytest.raises(StreamBroken, match="reply ended before the answer was complete"):
        seen.check_complete()
    assert not seen.is_answered()
    seen.take(b"data: [DONE]\n\n", unsent=False)
    seen.check_complete()
    assert seen.is_answered()


def test_an_empty_reply_is_an_answer_only_where_that_may_be() -> None:
    seen = Content(Dialect.OPENAI, Form.UNARY, may_be_empty=False)
    assert not seen.is_complete()
    with pytest.raises(StreamBroken, match="the node's reply was empty"):
        seen.check_complete()
    seen.take(b"{}", unsent=True)
    assert seen.is_complete()
    assert Content(Dialect.OPENAI, Form.UNARY).is_complete()


def rest() -> ArrayRest:
    return ArrayRest(Dialect.GEMINI, keepalive=b"\n")


def test_the_rest_of_an_array_lacks_its_bracket() -> None:
    seen = rest()
    assert seen.is_watchful
    assert seen.position is Position.OPENED
    assert not seen.is_complete()
    with pytest.raises(StreamBroken, match="the node's reply was empty"):
        seen.check_complete()
    assert seen.keep_alive() == b"\n"
    assert seen.take(b" \r\n", unsent=False) == b""
    assert seen.take(b' [{"a":', unsent=False) == b'{"a":'
    assert seen.position is Position.INSIDE
    assert seen.take(b"1}", unsent=False) == b"1}"
    assert seen.position is Position.BETWEEN
    seen.check_complete()


def test_what_is_no_array_is_no_rest_of_one() -> None:
    with pytest.raises(StreamBroken, match="not answer with a JSON array"):
        rest().take(b'{"a":1}', unsent=False)
