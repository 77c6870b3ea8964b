"""What an error says to its client, and what of it a log may hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import (
    MAX_MESSAGE_CHARS,
    MAX_PATH_CHARS,
    MAX_VIOLATIONS,
    BadRequest,
    LimitReached,
    ProxyError,
    Violation,
    bounded,
)
from casedesk_proxy.terms import Limit, Standing
from tests.fixtures.table import table


@table(
    ("message", "reason"),
    [
        ("no such model", "no such model"),
        ("the model 'secret' is unknown; known: a", "the model … is unknown"),
        ("it says \"a 'b' c\" twice", "it says … twice"),
        ("the node's own, isn't it", "the node's own, isn't it"),
        ("two\n lines", "two lines"),
        ("x" * 2000, "x" * 159 + "…"),
        ("a quote 'that ends behind the cut " + "x" * 2000 + "'", "a quote …"),
    ],
)
def test_a_log_holds_no_quotation(message: str, reason: str) -> None:
    assert ProxyError(message).reason == reason


def test_what_the_node_said_is_for_the_log_alone() -> None:
    error = ProxyError("the node failed")
    error.said = "out of memory"
    assert error.reason == "the node failed: out of memory"
    assert error.message == "the node failed"


def test_names_of_a_body_do_not_make_an_error_long() -> None:
    places = tuple(Violation("p" * 9999, "d" * 9999, "image") for _ in range(99))
    error = BadRequest("m" * 99_999, violations=places)
    assert len(error.message) == MAX_MESSAGE_CHARS
    assert len(error.violations) == MAX_VIOLATIONS
    assert {len(one.path) for one in error.violations} == {MAX_PATH_CHARS}
    assert error.violations[0].media == "image"


@given(st.text(max_size=30), st.integers(1, 30))
def test_bounded(text: str, most: int) -> None:
    short = bounded(text, most)
    assert len(short) <= most
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@table(
    ("limit", "code", "repeatable"),
    [
        (Limit.TOKENS_PER_MINUTE, "rate_limit_exceeded", True),
        (Limit.PARALLEL, "rate_limit_exceeded", True),
        (Limit.TOKENS_PER_DAY, "insufficient_quota", False),
        (Limit.TOKENS_PER_MONTH, "insufficient_quota", False),
    ],
)
def test_only_a_short_wait_is_worth_a_repeat(limit: Limit, code: str, repeatable: bool) -> None:
    standing = Standing(limit, "key", "alice", 10, None, 12, 100.0)
    error = LimitReached("m", standing, at=40.0, retry_after=60.0)
    assert (error.status, error.code, error.repeatable) == (429, code, repeatable)
    assert (error.standing, error.at, error.retry_after) == (standing, 40.0, 60.0)
