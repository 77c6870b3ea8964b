"""embedContent and batchEmbedContents: one vector a content, in the order of the request."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Transposed
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.pairs.gemini_openai import embed_batch, embed_one
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, StreamBroken, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect, Framing, Usage
from tests.dialects.asking import LLAMA, OLLAMA, PNG, TGI, VLLM, context
from tests.dialects.breaking import error_behind
from tests.dialects.replies import read_reply
from tests.fixtures.table import table

CALL = Call(Dialect.GEMINI, Action.EMBED, None, "nomic:v1", "v1beta")


def one(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> Transposed:
    return embed_one(CALL, body, context(engine, **changes))


def batch(*requests: Any, engine: EngineSpec = VLLM) -> Transposed:
    return embed_batch(CALL, {"requests": list(requests)}, context(engine))


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": value}]}, **more}


def sent(made: Transposed) -> dict[str, Any]:
    assert made.path == "/v1/embeddings"
    assert not made.streams
    return json.loads(made.body)


def answer(made: Transposed, *pieces: bytes) -> dict[str, Any]:
    for piece in pieces:
        assert made.translator.feed(piece) == b""
        assert made.translator.keepalive() == b""
    assert error_behind(made.translator, Framing.UNARY) == b""
    reply = json.loads(made.translator.finish())
    assert made.translator.complete
    assert made.translator.content_type == "application/json; charset=UTF-8"
    return reply


def data(*vectors: Any, **more: Any) -> bytes:
    entries = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return json.dumps({"object": "list", "data": entries, **more}).encode()


def paths(error: type[ProxyError], make: Any) -> list[str]:
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    return [violation.path for violation in caught.value.violations]


def test_one() -> None:
    made = one(text("Hello"))
    assert sent(made) == {"model": "tiny", "input": "Hello", "encoding_format": "float"}
    assert answer(made, data([1, 0.5], usage={"prompt_tokens": 2, "total_tokens": 2})) == {
        "embedding": {"values": [1, 0.5]}
    }
    assert made.translator.usage == Usage(2)


def test_many() -> None:
    made = batch(text("a", model="models/nomic:v1"), text("b", model="nomic:v1"))
    assert sent(made)["input"] == ["a", "b"]
    reply = data([1.0], [2.0])
    assert answer(made, *(reply[at : at + 1] for at in range(len(reply)))) == {
        "embeddings": [{"values": [1.0]}, {"values": [2.0]}]
    }


def test_one_in_a_batch_is_a_batch() -> None:
    assert answer(batch(text("a")), data([1.0])) == {"embeddings": [{"values": [1.0]}]}


def test_vectors_are_put_in_order() -> None:
    entries = [{"index": at, "embedding": [at]} for at in (2, 0, 1)]
    made = batch(text("a"), text("b"), text("c"))
    assert answer(made, json.dumps({"data": entries}).encode()) == {
        "embeddings": [{"values": [0]}, {"values": [1]}, {"values": [2]}]
    }


def test_large_replies_go_out_vector_by_vector() -> None:
    count, vector = 90, b"[%b]" % b",".join([b"0.10000000149011612"] * 64)
    entries = b",".join(b'{"index":%d,"embedding":%b}' % (at, vector) for at in range(count))
    made = batch(*[text("a")] * count)
    made.translator.feed(b'{"data":[%b],"usage":{"prompt_tokens":7}}' % entries)
    pieces = made.translator.finish()
    assert isinstance(pieces, tuple)
    assert len(pieces) == count + 2
    assert b"".join(pieces) == b'{"embeddings":[%b]}' % b",".join([b'{"values":%b}' % vector] * 90)
    assert made.translator.usage == Usage(7)


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


def test_vectors_in_base64_are_read() -> None:
    packed = base64.b64encode(struct.pack("<2f", 1.0, -0.5)).decode()
    assert answer(one(text("a")), data(packed)) == {"embedding": {"values": [1.0, -0.5]}}


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


@table(
    "reply",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"data": null}',
        b'{"object": "error", "message": "x"}',
        data(),
        data([1.0], [2.0]),
        data(None),
        data(["x"]),
        data([[1.0]]),
        data([None]),
        data([True]),
        data("A"),
        data("AAA="),
        data("é"),
        data("AADAfw=="),  # not a number
        b'{"data": [{"index": 1, "embedding": [1]}]}',
        b'{"data": [{"index": [], "embedding": [1]}]}',
    ],
)
def test_replies_that_are_no_vectors(reply: bytes) -> None:
    made = one(text("a"))
    made.translator.feed(reply)
    with pytest.raises(StreamBroken):
        made.translator.finish()


def test_too_large_a_reply() -> None:
    with pytest.raises(StreamBroken):
        one(text("a")).translator.feed(bytes(MAX_HELD_BYTES + 1))


@table(
    ("name", "engine", "count"),
    [
        ("llama-server.embeddings", LLAMA, 2),
        ("vllm-0.32.0.embeddings", VLLM, 2),
        ("ollama-0.9.3.v1-embeddings", OLLAMA, 1),
    ],
)
def test_recorded(name: str, engine: EngineSpec, count: int) -> None:
    made = batch(*[text("x")] * count, engine=engine)
    found = answer(made, *read_reply(name).chunks)["embeddings"]
    assert len(found) == count
    assert all(sum(x * x for x in one["values"]) == pytest.approx(1) for one in found)


def test_a_node_without_embeddings() -> None:
    reply = read_reply("sglang-0.5.23.embeddings")
    error = one(text("a")).translator.refuse(reply.status, reply.headers, reply.body)
    assert error.status == 400
    assert "embedding model" in error.message
