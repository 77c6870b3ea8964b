"""Counts for replies without the node's counts: learned from earlier replies, and marked."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.jsonio import MAX_COUNT
from casedesk_proxy.replying.estimates import Estimates
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.terms import Usage
from tests.fixtures.table import table

WHOLE = ExchangeRecord(
    request_id="r", started=0.0, action="chat/completions", node="n", model="m", attempts=1,
    status=200, terminal=Terminal.COMPLETED, received=400, events=103, usage=Usage(50, 200, 7, 3),
)  # fmt: skip
CUT = replace(WHOLE, terminal=Terminal.CLIENT_GONE, usage=Usage(), events=51)


def test_what_was_told_stays() -> None:
    assert Estimates().fill(WHOLE) is WHOLE


def test_before_anything_is_known_a_piece_is_a_token_and_four_bytes_are() -> None:
    assert Estimates().fill(CUT).usage == Usage(100, 50, estimated=True)
    huge = Estimates().fill(replace(CUT, received=10_000_000))
    assert huge.usage.prompt == 32_768


def test_it_learns_from_what_was_told() -> None:
    estimates = Estimates()
    estimates.fill(WHOLE)
    assert estimates.fill(CUT).usage == Usage(50, 100, estimated=True)
    assert estimates.fill(replace(CUT, received=200)).usage.prompt == 25
    assert estimates.fill(replace(CUT, received=10_000_000)).usage.prompt == 100
    other = estimates.fill(replace(CUT, model="other"))
    assert other.usage == Usage(100, 50, estimated=True)


def test_no_estimate_is_more_than_a_count_can_be() -> None:
    """The ledger's row has 64 bits for it."""
    estimates = Estimates()
    estimates.fill(replace(WHOLE, events=4, usage=Usage(50, MAX_COUNT)))
    assert estimates.fill(replace(CUT, events=10_000_000)).usage.output == MAX_COUNT


def test_a_prompt_has_a_fixed_part() -> None:
    estimates = Estimates()
    for size in range(100, 1100, 100):
        estimates.fill(replace(WHOLE, received=size, usage=Usage(10 + size // 5, 1)))
    assert estimates.fill(replace(CUT, received=2000)).usage.prompt == 410
    assert estimates.fill(replace(CUT, received=0)).usage.prompt == 10
    # What makes no sense as a line is a share.
    for size in range(100, 1100, 100):
        estimates.fill(replace(WHOLE, model="o", received=size, usage=Usage(1000 - size // 2, 1)))
    assert estimates.fill(replace(CUT, model="o", received=550)).usage.prompt == 725


def test_streams_are_estimated_by_streams() -> None:
    estimates = Estimates()
    estimates.fill(replace(WHOLE, events=0, usage=Usage(4, 1)))
    assert estimates.fill(CUT).usage.prompt == 4, "nothing better is known"
    estimates.fill(WHOLE)
    assert estimates.fill(CUT).usage.prompt == 50


@table("edges", [2, 3, 4])
def test_the_ends_of_a_stream_have_no_tokens_however_they_come(edges: int) -> None:
    estimates = Estimates()
    for words in range(10, 60, 5):
        estimates.fill(replace(WHOLE, events=words + edges, usage=Usage(50, words)))
    assert estimates.fill(replace(CUT, events=31)).usage.output == 30


def test_the_latest_counts_most() -> None:
    estimates = Estimates()
    for _ in range(3):
        estimates.fill(replace(WHOLE, events=40_003, usage=Usage(4_000_000, 40_000)))
        estimates.fill(replace(WHOLE, received=4_000_000, events=1, usage=Usage(1_000_000, 1)))
    for _ in range(6):
        estimates.fill(replace(WHOLE, events=40_003, usage=Usage(100, 80_000)))
    assert 90 <= (estimates.fill(CUT).usage.output or 0) <= 100


def test_what_is_remembered_is_bounded() -> None:
    estimates = Estimates()
    for number in range(1001):
        estimates.fill(replace(WHOLE, model=f"m{number}"))
    assert estimates.fill(replace(CUT, model="m0")).usage.output == 50
    assert estimates.fill(replace(CUT, model="m1000")).usage.output == 100


@table(
    ("change", "wanted"),
    [
        # A node's last word is believed, its first is not: Anthropic's streams begin with one.
        ({"usage": Usage(9, 30)}, Usage(9, 30)),
        ({"usage": Usage(9, 1)}, Usage(9, 50, estimated=True)),
        ({"usage": Usage(9, 0), "events": 1}, Usage(9, 0)),
        # The node may have read the prompt before its client left.
        ({"events": 0, "status": 499}, Usage(100, 0, estimated=True)),
        (
            {"events": 0, "status": 504, "terminal": Terminal.TIMED_OUT},
            Usage(100, 0, estimated=True),
        ),
        ({"terminal": Terminal.NODE_BROKE}, Usage(100, 50, estimated=True)),
        # Whole, and nothing told.
        ({"terminal": Terminal.COMPLETED}, Usage(100, 48, estimated=True)),
        ({"terminal": Terminal.COMPLETED, "events": 1}, Usage(100, None, estimated=True)),
        # Nothing was worked.
        ({"terminal": Terminal.COMPLETED, "status": 400, "events": 1}, Usage()),
        ({"terminal": Terminal.BUSY, "node": "", "events": 0}, Usage()),
        ({"terminal": Terminal.CLIENT_GONE, "node": "", "events": 0}, Usage()),
        ({"terminal": Terminal.NODE_UNAVAILABLE, "events": 0, "status": 503}, Usage()),
        ({"terminal": Terminal.REFUSED, "events": 0, "status": 404}, Usage()),
        ({"action": "countTokens"}, Usage()),
        ({"action": ""}, Usage()),
    ],
)  # fmt: skip
def test_when_and_what(change: dict[str, object], wanted: Usage) -> None:
    assert Estimates().fill(replace(CUT, **change)).usage == wanted  # type: ignore[arg-type]


def test_an_embedding_has_no_output() -> None:
    embedding = replace(WHOLE, action="embeddings", events=1, usage=Usage(12))
    assert Estimates().fill(embedding) is embedding
