"""Inquiries are values: a generator yields them and is sent the answers."""

from __future__ import annotations

from casedesk_proxy.engines.inquiries import (
    Asking,
    Inquiry,
    NodeAnswer,
    ask,
    ask_facts,
    ask_together,
)
from tests.fixtures.table import table


def answered(asking: Asking[object], *answers: NodeAnswer) -> tuple[tuple[Inquiry, ...], object]:
    inquiries = next(asking)
    try:
        asking.send(answers)
    except StopIteration as end:
        return inquiries, end.value
    raise AssertionError("it asks once")


def test_one_inquiry() -> None:
    answer = NodeAnswer(404)
    assert answered(ask("/x", {"a": 1}), answer) == ((Inquiry("/x", {"a": 1}),), answer)


def test_facts() -> None:
    assert answered(ask_facts("/x"), NodeAnswer(200, json={"a": 1}))[1] == {"a": 1}


def test_several_at_the_same_moment() -> None:
    inquiries = (Inquiry("/a"), Inquiry("/b"))
    answers = (NodeAnswer(200), NodeAnswer(0))
    assert answered(ask_together(iter(inquiries)), *answers) == (inquiries, answers)


@table(
    ("answer", "facts"),
    [
        (NodeAnswer(200, json={"a": 1}), {"a": 1}),
        (NodeAnswer(200, json=["a"]), {}),
        (NodeAnswer(500, json={"error": 1}), {}),
        (NodeAnswer(), {}),
    ],
)
def test_only_the_object_of_a_200_has_facts(answer: NodeAnswer, facts: object) -> None:
    assert answer.facts == facts


@table(("status", "locked"), [(401, True), (403, True), (404, False), (0, False)])
def test_a_node_that_requires_a_key(status: int, locked: bool) -> None:
    assert NodeAnswer(status).is_locked is locked
