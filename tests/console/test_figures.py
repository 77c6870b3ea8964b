"""Counts of ended requests by node and model, and the last failures."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.console.figures import Figures
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.terms import Usage

DONE = ExchangeRecord(
    "r", 0.0, key="alice", node="n", model="m", status=200, terminal=Terminal.COMPLETED,
    first_byte=1.0, ended=3.0, events=9, usage=Usage(prompt=100, output=20, cached=25),
)  # fmt: skip


def test_a_model_s_figures() -> None:
    figures = Figures()
    figures.count(DONE)
    figures.count(ExchangeRecord("s", 0.0, node="n", model="m", terminal=Terminal.NODE_BROKE))
    found = figures.models["n", "m"]
    assert (found.requests, found.failures) == (2, 1)
    assert (found.tokens_per_second, found.cached_share) == (10.0, 0.25)


def test_an_error_of_the_node_is_a_failure_and_what_it_refuses_is_none() -> None:
    figures = Figures()
    for status in (500, 503, 400):
        figures.count(replace(DONE, status=status))
    assert figures.models["n", "m"].failures == 2


def test_without_counts_nothing_is_said() -> None:
    figures = Figures()
    figures.count(ExchangeRecord("s", 0.0, node="n", model="m", terminal=Terminal.COMPLETED))
    found = figures.models["n", "m"]
    assert (found.tokens_per_second, found.cached_share) == (None, None)


def test_failures_the_latest_first_and_only_those_that_may_be_seen() -> None:
    figures = Figures(now=lambda: 5.0)
    figures.count(DONE)
    for number, key in enumerate(["alice", "bob", "alice"]):
        figures.count(
            ExchangeRecord(
                str(number),
                0.0,
                key=key,
                asked="m",
                status=503,
                terminal=Terminal.BUSY,
                code="c",
                reason="why",
            )
        )
    assert [one["id"] for one in figures.failures(lambda key: True, 2)] == ["2", "1"]
    first = figures.failures(lambda key: key == "bob", 9)
    assert first == [
        {"at": 5.0, "id": "1", "key": "bob", "deployment": "", "model": "m", "node": "",
         "status": 503, "code": "c", "reason": "why", "ending": "busy"}
    ]  # fmt: skip


def test_models_are_bounded() -> None:
    figures = Figures()
    for number in range(2010):
        figures.count(ExchangeRecord("s", 0.0, node="n", model=str(number)))
    assert len(figures.models) == 2000
