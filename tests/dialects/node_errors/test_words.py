"""What is too long, in the words that each protocol's clients recognise."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.node_errors.limits import Excess, Excessive, read_excess
from casedesk_proxy.dialects.node_errors.words import excess_fault
from casedesk_proxy.terms import Dialect

PROMPT, TOGETHER, REPLY = Excessive
FITTING = pytest.mark.parametrize("surface", Dialect)


@FITTING
def test_who_reads_an_error_reads_ours_as_what_it_is(surface: Dialect) -> None:
    fault = excess_fault(surface, Excess(PROMPT, 9010, None, 8192))
    assert fault is not None
    assert fault.status == 400
    assert read_excess({}, fault.message.lower()) == Excess(PROMPT, 9010, None, 8192)


@FITTING
def test_a_prompt_that_does_not_fit_with_its_reply_says_what_the_model_has(
    surface: Dialect,
) -> None:
    fault = excess_fault(surface, Excess(TOGETHER, 5000, 9000, 8192))
    assert fault is not None
    assert "8192" in fault.message


def test_anthropics_clients_know_it_by_its_beginning() -> None:
    for excess in (Excess(PROMPT), Excess(PROMPT, 9, None, 8), Excess(TOGETHER, 5, 9, 8)):
        fault = excess_fault(Dialect.ANTHROPIC, excess)
        assert fault is not None
        assert fault.known_by
        assert fault.message.startswith(fault.known_by)
    other = excess_fault(Dialect.OPENAI, Excess(PROMPT, 9, None, 8))
    assert other is not None
    assert (other.known_by, other.code) == ("", "context_length_exceeded")


@FITTING
def test_of_the_replys_own_limit_the_node_says_it_better(surface: Dialect) -> None:
    assert excess_fault(surface, Excess(REPLY, None, 9, 8)) is None
