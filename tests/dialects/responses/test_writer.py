"""A node's reply for a Responses client, in the points where the two protocols differ."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.errors import StreamBroken
from tests.dialects.responses_asking import asking, events, translated
from tests.fixtures.table import table

DONE = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def said(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, **more}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def test_a_model_that_repeats_itself_is_an_error() -> None:
    """OpenAI has no finish reason for this."""
    reader = translated(asking(stream=True)).translator
    with pytest.raises(StreamBroken, match="repeated itself"):
        reader.feed(said("ha", finish_reason="repetition"))
        reader.finish()


def test_a_reply_begins_once_whatever_the_node_says_first() -> None:
    reader = translated(asking(stream=True)).translator
    first = b'data: {"id":"chatcmpl-1","choices":[]}\n\n'
    stream = b"".join([reader.feed(piece) for piece in (first, first, said("Hi"), DONE)])
    kinds = [one["type"] for one in events(stream)]
    assert kinds.count("response.created") == 1
    assert events(stream)[0]["response"]["id"].startswith("resp_")


def test_a_call_without_an_id_is_given_one() -> None:
    reader = translated(asking(stream=True)).translator
    function = {"name": "f", "arguments": "{}"}
    call = {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": function}]}}
    sent = b"data: " + json.dumps({"choices": [call]}).encode() + b"\n\n"
    made = [one for one in events(reader.feed(sent) + reader.feed(DONE)) if "item" in one]
    (ident,) = {one["item"]["call_id"] for one in made}
    assert ident.startswith("call_")


@table(
    ("token", "shown"),
    [
        ({"token": "é", "logprob": -1}, [195, 169]),
        ({"token": "é", "logprob": -1, "bytes": [1]}, [1]),
        ({"token": "é", "logprob": -1, "bytes": ["x"]}, [195, 169]),
        ({"token": "é"}, None),
        ({"logprob": -1}, None),
        (7, None),
    ],
)
def test_log_probabilities_have_every_field_or_are_left_out(token: Any, shown: Any) -> None:
    reader = translated(asking(stream=True, top_logprobs=1)).translator
    stream = reader.feed(said("é", logprobs={"content": [token]})) + reader.feed(DONE)
    (delta,) = [one for one in events(stream) if one["type"] == "response.output_text.delta"]
    assert [one["bytes"] for one in delta["logprobs"]] == ([] if shown is None else [shown])
    assert all(one["top_logprobs"] == [] for one in delta["logprobs"])
