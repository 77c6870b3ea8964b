"""Chat completions and completions that came as one document, as streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.openai.unfolding import unfold_chat, unfold_completion
from casedesk_proxy.errors import StreamBroken
from tests.fixtures.table import table

CALLS = [{"id": f"call_{n}", "type": "function", "function": {"name": "f"}} for n in range(2)]
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
COMMON = {"id": "c", "created": 1, "model": "m", "system_fingerprint": "x"}


def choice(**more: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop", **more}


def chat(*choices: Any, **more: Any) -> dict[str, Any]:
    return {**COMMON, "object": "chat.completion", "choices": list(choices), **more}


def chunks(stream: bytes) -> list[Any]:
    events = stream.split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    return [json.loads(event.removeprefix(b"data: ")) for event in events[:-2]]


def test_a_message_is_one_delta_with_all_that_the_node_sent() -> None:
    message = {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": CALLS}
    said = choice(message=message, logprobs={"content": []}, finish_reason="tool_calls")
    first, last = chunks(unfold_chat(chat(said, usage=USAGE)))
    for chunk in (first, last):
        assert {name: chunk[name] for name in COMMON} == COMMON
        assert chunk["object"] == "chat.completion.chunk"
    calls = [call | {"index": at} for at, call in enumerate(CALLS)]
    delta = {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": calls}
    assert first["choices"] == [
        {"index": 0, "delta": delta, "finish_reason": None, "logprobs": {"content": []}}
    ]
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    assert "usage" not in first
    assert last["usage"] == USAGE


def test_each_choice_keeps_its_index() -> None:
    second = choice(message={"content": "ho"})
    del second["index"]
    third = choice(index=None)
    got = chunks(unfold_chat(chat(choice(), second, third)))
    assert [one["choices"][0]["index"] for one in got] == [0, 0, 1, 1, 2, 2]
    assert "usage" not in got[-1]


def test_a_completion_is_one_chunk() -> None:
    document = chat({"index": 0, "text": "hi", "finish_reason": "length"}, usage=USAGE)
    assert chunks(unfold_completion(document)) == [document]


@table(
    ("document", "did"),
    [
        ({"ok": True}, "without an answer: it has no choices"),
        (chat(), "without an answer: it has no choices"),
        (chat("text"), "malformed choice"),
        (chat({"index": 0, "text": "hi", "finish_reason": "stop"}), "malformed choice"),
        (chat(choice(finish_reason=None)), "ended before it was complete"),
    ],
)
def test_what_is_no_chat_completion(document: dict[str, Any], did: str) -> None:
    with pytest.raises(StreamBroken, match=did):
        unfold_chat(document)
