"""What an error says, and what of it a log may contain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wording import (
    MAX_MESSAGE_CHARS,
    AboutNode,
    bounded,
    is_harmless,
    quoted,
    reason_of,
    spell_time,
    text_of,
    with_remedy,
)
from tests.fixtures.table import table


def test_a_message_about_a_node_names_it_where_it_is_known() -> None:
    did, part = AboutNode("sent no reply"), AboutNode("was empty", its="reply")
    assert (did.text(), part.text()) == ("the node sent no reply", "the node's reply was empty")
    assert did.text("gpu0") == "node gpu0 sent no reply"
    assert part.text("gpu0") == "node gpu0's reply was empty"
    assert (str(did), str(part)) == ("sent no reply", "its reply was empty"), "behind its name"


def test_what_to_do_stands_behind_what_is_wrong_unless_that_says_it() -> None:
    assert with_remedy("it broke", "try again") == "it broke; try again"
    assert with_remedy(AboutNode("broke"), "wait") == AboutNode("broke; wait")
    assert with_remedy("it broke; wait", "try again") == "it broke; wait"
    assert with_remedy("it broke", "") == "it broke"


@table(
    ("text", "harmless"),
    [
        ("Ä\u3000日本", True),
        ("می\u200cخواهم", True),
        ("\u0915\u094d\u200d\u0937 \U0001f468\u200d\U0001f469\u200d\U0001f467", True),
        ("\U0001fae9", True),  # Unicode 16
        ("a\u00a0\u202f\u2009b", True),
        *((mark, False) for mark in "\x00\t\n\x1b\x7f\x85\u200e\u2028\u202e\u2066\ufeff\ud800"),
    ],
)
def test_what_people_write_is_harmless(text: str, harmless: bool) -> None:
    assert all(map(is_harmless, text)) is harmless


def test_no_message_is_long() -> None:
    assert len(text_of(AboutNode("x" * 99_999), "gpu0")) == MAX_MESSAGE_CHARS


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
    assert reason_of(message) == reason


@table(
    ("text", "shown"),
    [("x", "'x'"), ("x" * 81, f"'{'x' * 81}'"), ("x" * 82, f"'{'x' * 80}…'"), ("\ud800", "'?'")],
)
def test_a_quotation_is_short_and_valid(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_a_short_text_stays() -> None:
    assert (bounded("abc", 3), bounded("abcd", 3)) == ("abc", "ab…")


@given(st.text(max_size=30), st.integers(1, 30))
def test_bounded(text: str, most: int) -> None:
    short = bounded(text, most)
    assert len(short) <= most
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


def test_a_time_to_the_minute() -> None:
    assert spell_time(1773100859.9) == "2026-03-10 00:00 UTC"
