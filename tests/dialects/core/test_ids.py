"""Ids that every client accepts."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.ids import clean_id, make_token, reply_token
from tests.fixtures.table import table


def test_a_token_is_nine_letters_and_digits_and_stays() -> None:
    token = make_token("req-1 \ud800")
    assert len(token) == 9
    assert token.isalnum()
    assert make_token("req-1 \ud800") == token != make_token("req-2 \ud800")


def test_what_not_everybody_takes_is_left_out() -> None:
    assert clean_id("call_1-a.b/c é") == "call_1-abc"
    assert clean_id("…") == ""


@table(
    ("ident", "token"),
    [("chatcmpl-7f", "7f"), ("gen.7f", "gen7f"), ("chatcmpl-", make_token("r")),
     (7, make_token("r")), (None, make_token("r"))],
)  # fmt: skip
def test_a_reply_has_the_node_s_id_where_it_gave_one(ident: Any, token: str) -> None:
    assert reply_token(ident, "r") == token
