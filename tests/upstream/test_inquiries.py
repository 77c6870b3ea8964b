"""Answers of nodes: long ones are parsed once."""

from __future__ import annotations

import json

from casedesk_proxy.engines.model_lists import openai_models
from casedesk_proxy.upstream.inquiries import Answers

LONG = json.dumps({"data": [{"id": f"model-{number}"} for number in range(2000)]}).encode()


def test_the_same_long_answer_is_parsed_and_read_once() -> None:
    answers = Answers()
    first = answers.parse(LONG)
    assert answers.parse(bytes(bytearray(LONG))) is first
    assert len(openai_models(first)) == 2000
    assert openai_models(answers.parse(LONG)) is openai_models(first)
    assert answers.parse(LONG.replace(b"model-7", b"model-x")) != first


def test_short_answers_and_what_is_no_object_are_as_they_are() -> None:
    answers = Answers()
    assert answers.parse(b'{"a":1}') == {"a": 1}
    assert answers.parse(b'{"a":1}') is not answers.parse(b'{"a":1}')
    assert answers.parse(b"[" + b"1," * 20_000 + b"1]") == [1] * 20_001
    assert answers.parse(b"{" * 20_000) is None
