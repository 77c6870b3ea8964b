"""What an error says to its client, and what of it a log may hold."""

from __future__ import annotations

from casedesk_proxy.errors import (
    MAX_VIOLATIONS,
    BadRequest,
    LimitReached,
    NodeError,
    ProxyError,
    StreamBroken,
    TooLarge,
    UpstreamFault,
    Violation,
)
from casedesk_proxy.terms import Limit, Standing
from casedesk_proxy.wording import MAX_MESSAGE_CHARS, MAX_PATH_CHARS, AboutNode
from tests.fixtures.table import table


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


def test_an_error_about_a_node_names_it_and_stays_what_it_is() -> None:
    shared = UpstreamFault(
        AboutNode("is malformed", its="reply"), status=503, code="x", retry_after=2.0
    )
    named = shared.with_node("gpu0")
    assert (named.message, str(named)) == ("node gpu0's reply is malformed",) * 2
    assert shared.message == "the node's reply is malformed", "others may have it, too"
    assert (type(named), named.status, named.code) == (UpstreamFault, 503, "x")
    assert named.retry_after == 2.0


def test_what_a_node_said_stays_with_its_error() -> None:
    named = NodeError(500, b"hush").with_node("gpu0")
    assert isinstance(named, NodeError)
    assert (named.answered, named.body) == (500, b"hush")
    assert named.reason == "node gpu0 reported an error in the middle of its reply"


def test_what_to_do_stands_behind_what_a_node_did() -> None:
    broken = StreamBroken("stopped").with_node("gpu0")
    assert broken.message == f"node gpu0 stopped; {StreamBroken.remedy}"
    assert StreamBroken("stopped; wait").with_node("gpu0").message == "node gpu0 stopped; wait"


def test_other_errors_stay_the_same() -> None:
    mine = BadRequest("the node is what the client talks of")
    assert mine.with_node("gpu0") is mine
    broken = StreamBroken("stopped")
    assert broken.with_node("") is broken, "before a node has answered"


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


def test_an_error_about_one_place_names_it_twice() -> None:
    error = BadRequest.about("a.b", "is wrong; correct it", code="wrong", media="image")
    assert (error.message, error.code, error.status) == ("a.b: is wrong; correct it", "wrong", 400)
    assert error.violations == (Violation("a.b", "is wrong; correct it", "image"),)
    late = TooLarge.about("model", "comes too late")
    assert (late.status, late.code) == (413, TooLarge.code)
