"""The question to a node about the size of a chat."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.dialects.core.contract import Answered, TranslatedRequest
from casedesk_proxy.dialects.core.counting import COUNTED
from casedesk_proxy.dialects.openai.counting import count_chat, count_request
from casedesk_proxy.terms import Dialect
from tests.dialects.asking import OLLAMA, SGLANG, VLLM, context

MESSAGES = [{"role": "user", "content": "Hello"}]


def test_a_question_about_a_chat() -> None:
    chat = {"messages": MESSAGES, "tools": [{"type": "function"}]}
    found = count_request(chat, context(VLLM))
    assert found is not None
    assert found[0] == "/tokenize"
    assert json.loads(found[1])["tools"] == [{"type": "function"}]
    assert count_request(chat, context(OLLAMA)) is None
    media = [{"role": "user", "content": [{"type": "image_url"}]}]
    assert count_request({"messages": media}, context(VLLM)) is None


def test_fields_that_change_the_template_are_part_of_the_question() -> None:
    chat = {
        "messages": MESSAGES,
        "temperature": 1,
        "chat_template_kwargs": {"enable_thinking": False},
        "continue_final_message": True,
    }
    found = count_request(chat, context(SGLANG))
    assert found is not None
    assert json.loads(found[1]) == {
        "model": "tiny",
        "messages": MESSAGES,
        "add_generation_prompt": True,
        "chat_template_kwargs": {"enable_thinking": False},
    }


def shape(number: int) -> dict[str, Any]:
    return {"number": number}


def test_media_are_left_out_and_the_count_says_so() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    chat = {"messages": [{"role": "user", "content": content}]}
    made = count_chat(chat, context(VLLM), Dialect.OPENAI, shape)
    assert isinstance(made, TranslatedRequest)
    assert made.headers == ((COUNTED, "text-only"),)
    assert json.loads(made.body)["messages"] == [{"role": "user", "content": "ab"}]
    made.translator.feed(b'{"count":7}')
    assert json.loads(made.translator.finish()) == {"number": 7}


def test_an_engine_that_cannot_count_gets_no_request() -> None:
    few, many = (
        count_chat({"messages": MESSAGES * times}, context(OLLAMA), Dialect.OPENAI, shape)
        for times in (1, 50)
    )
    assert isinstance(few, Answered)
    assert isinstance(many, Answered)
    assert few.headers == ((COUNTED, "estimate"),)
    assert 0 < json.loads(few.body)["number"] < json.loads(many.body)["number"]
