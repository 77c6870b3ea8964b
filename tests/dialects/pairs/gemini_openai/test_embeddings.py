"""embedContent and batchEmbedContents: one vector for each content, in the order of the request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import TranslatedRequest
from casedesk_proxy.dialects.pairs.gemini_openai import embed_batch, embed_one
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect
from tests.dialects.asking import LLAMA, PNG, TGI, VLLM, context
from tests.fixtures.table import table

CALL = Call(Dialect.GEMINI, Action.EMBED, None, "nomic:v1", "v1beta")


def one(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> TranslatedRequest:
    return embed_one(CALL, body, context(engine, **changes))


def batch(*requests: Any, engine: EngineSpec = VLLM) -> TranslatedRequest:
    return embed_batch(CALL, {"requests": list(requests)}, context(engine))


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": value}]}, **more}


def sent(made: TranslatedRequest) -> dict[str, Any]:
    assert made.path == "/v1/embeddings"
    assert not made.streams
    return json.loads(made.body)


def paths(error: type[ProxyError], make: Any) -> list[str]:
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    return [violation.path for violation in caught.value.violations]


def test_one() -> None:
    made = one(text("Hello"))
    assert sent(made) == {"model": "tiny", "input": "Hello", "encoding_format": "float"}


def test_many() -> None:
    made = batch(text("a", model="models/nomic:v1"), text("b", model="nomic:v1"))
    assert sent(made)["input"] == ["a", "b"]


def test_the_reply_is_that_of_one_or_of_a_batch() -> None:
    reply = b'{"data":[{"embedding":[1.0]}]}'
    for made, wanted in (
        (one(text("a")), b'{"embedding":{"values":[1.0]}}'),
        (batch(text("a")), b'{"embeddings":[{"values":[1.0]}]}'),
    ):
        made.translator.feed(reply)
        assert made.translator.finish() == wanted


def test_parts_make_one_text() -> None:
    body = {
        "model": "models/whatever",
        "content": {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        "taskType": 1,
        "title": "t",
    }
    assert sent(one(body))["input"] == "ab"
    body["task_type"] = body.pop("taskType")
    body["content"] = {"parts": {"text": "x"}}
    assert sent(one(body))["input"] == "x"


def test_dimensions() -> None:
    for name in ("outputDimensionality", "output_dimensionality"):
        assert sent(one(text("a", **{name: 8})))["dimensions"] == 8
    assert sent(batch(text("a", outputDimensionality="8")))["dimensions"] == 8
    assert paths(Unsupported, lambda: one(text("a", outputDimensionality=8), LLAMA)) == [
        "outputDimensionality"
    ]
    sized = text("a", outputDimensionality=8)
    assert paths(Unsupported, lambda: batch(sized, engine=LLAMA)) == [
        "requests[0].outputDimensionality"
    ]
    assert paths(Unsupported, lambda: batch(sized, sized, text("b"))) == [
        "requests[2].outputDimensionality"
    ]


@table(
    ("body", "path"),
    [
        ({}, "content"),
        ({"content": {"parts": []}}, "content"),
        (text("a", outputDimensionality=0), "outputDimensionality"),
        (text("a", taskType="COOKING"), "taskType"),
        (text("a", autoTruncate=True), "autoTruncate"),
        (text("a", mimeType="x"), "mimeType"),
    ],
)
def test_wrong_requests(body: dict[str, Any], path: str) -> None:
    assert paths(BadRequest, lambda: one(body)) == [path]


def test_wrong_batches() -> None:
    assert paths(BadRequest, batch) == ["requests"]
    other = text("a", model="models/other")
    assert paths(BadRequest, lambda: batch(text("a"), other, {})) == [
        "requests[1].model",
        "requests[2].content",
    ]


def test_unknown_fields_may_be_ignored() -> None:
    made = one(text("a", autoTruncate=True), refuse_unknown=False)
    assert made.dropped == ("autoTruncate",)


def test_refused() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    body = {"content": {"parts": [{"text": "a"}, picture]}}
    assert paths(Unsupported, lambda: one(body)) == ["content.parts[1].inlineData"]
    alone = {"content": {"parts": [picture]}}
    assert paths(Unsupported, lambda: one(alone)) == ["content.parts[0].inlineData"]
    assert paths(Unsupported, lambda: batch(text("a"), alone)) == [
        "requests[1].content.parts[0].inlineData"
    ]
    assert paths(Unsupported, lambda: one(text("a"), TGI)) == ["content"]
    assert paths(Unsupported, lambda: batch(text("a"), engine=TGI)) == ["requests"]
