"""A response that came as one document, as a stream."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.responses.unfolding import unfold_response
from casedesk_proxy.errors import StreamBroken
from tests.dialects.responses_asking import events
from tests.fixtures.table import table

USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def response(*output: Any, **more: Any) -> dict[str, Any]:
    made = {"id": "resp_1", "object": "response", "status": "completed", "usage": USAGE}
    return {**made, "output": list(output), **more}


def of_item(*output: Any) -> list[tuple[str, Any]]:
    """The names of the item's events, and what is new in each."""
    known = ("type", "sequence_number", "output_index", "item_id")
    return [
        (
            one["type"].removeprefix("response."),
            {name: value for name, value in one.items() if name not in known},
        )
        for one in events(unfold_response(response(*output)))[2:-1]
    ]


@table("status", ["completed", "incomplete", "failed"])
def test_a_response_begins_empty_and_ends_as_the_document(status: str) -> None:
    document = response(status=status, error={"code": "x"} if status == "failed" else None)
    begun = document | {
        "status": "in_progress", "usage": None, "error": None, "incomplete_details": None,
    }  # fmt: skip
    assert [(one["type"], one["response"]) for one in events(unfold_response(document))] == [
        ("response.created", begun),
        ("response.in_progress", begun),
        (f"response.{status}", document),
    ]


def test_texts() -> None:
    cited = {"type": "url_citation", "url": "u"}
    part = {"type": "output_text", "text": "hi", "annotations": [cited], "logprobs": []}
    blank = part | {"text": "", "annotations": []}
    item = {"id": "msg_1", "type": "message", "status": "completed", "content": [part]}
    assert of_item(item) == [
        ("output_item.added", {"item": item | {"status": "in_progress", "content": []}}),
        ("content_part.added", {"content_index": 0, "part": blank}),
        ("output_text.delta", {"content_index": 0, "delta": "hi", "logprobs": []}),
        (
            "output_text.annotation.added",
            {"content_index": 0, "annotation_index": 0, "annotation": cited},
        ),
        ("output_text.done", {"content_index": 0, "text": "hi", "logprobs": []}),
        ("content_part.done", {"content_index": 0, "part": part}),
        ("output_item.done", {"item": item}),
    ]
    refused = {"id": "m", "type": "message", "content": [{"type": "refusal", "refusal": ""}]}
    names = [name for name, _ in of_item(refused)]
    assert names[1:-1] == ["content_part.added", "refusal.done", "content_part.done"]


def test_thoughts() -> None:
    summary, content = (
        {"type": "summary_text", "text": "s"},
        {"type": "reasoning_text", "text": "t"},
    )
    item = {"id": "rs_1", "type": "reasoning", "summary": [summary], "content": [content]}
    assert [name for name, _ in of_item(item)] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]


def test_calls() -> None:
    item = {"id": "fc_1", "type": "function_call", "name": "f", "arguments": '{"a":1}'}
    assert of_item(item) == [
        ("output_item.added", {"item": item | {"arguments": ""}}),
        ("function_call_arguments.delta", {"delta": '{"a":1}'}),
        ("function_call_arguments.done", {"name": "f", "arguments": '{"a":1}'}),
        ("output_item.done", {"item": item}),
    ]
    assert len(of_item(item | {"arguments": ""})) == 3


def test_calls_of_freeform_tools() -> None:
    item = {"id": "ctc_1", "type": "custom_tool_call", "name": "shell", "input": "ls"}
    assert of_item(item) == [
        ("output_item.added", {"item": item | {"input": ""}}),
        ("custom_tool_call_input.delta", {"delta": "ls"}),
        ("custom_tool_call_input.done", {"input": "ls"}),
        ("output_item.done", {"item": item}),
    ]
    assert len(of_item(item | {"input": ""})) == 3


def test_what_has_no_events_of_its_own_comes_whole() -> None:
    part = {"type": "output_audio", "data": "x"}
    item = {"id": "m", "type": "message", "content": [part]}
    assert of_item(item)[1:3] == [
        ("content_part.added", {"content_index": 0, "part": part}),
        ("content_part.done", {"content_index": 0, "part": part}),
    ]
    searched = {"id": "ws", "type": "web_search_call", "status": "completed"}
    assert [name for name, _ in of_item(searched)] == ["output_item.added", "output_item.done"]


@table(
    ("document", "did"),
    [
        ({"ok": True}, "without an answer: it is not a response"),
        (response(status="queued"), "ended before it was complete"),
        (response("text"), "malformed item"),
        (response({"type": "message", "content": ["text"]}), "malformed part"),
    ],
)
def test_what_is_no_response(document: dict[str, Any], did: str) -> None:
    with pytest.raises(StreamBroken, match=did):
        unfold_response(document)
