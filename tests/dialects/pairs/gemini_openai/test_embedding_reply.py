"""Vectors of a node that speaks OpenAI, in the order of Gemini's request."""

from __future__ import annotations

import base64
import json
import struct
import tracemalloc
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.pairs.gemini_openai.embedding_reply import EmbeddingTranslator
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Framing, Usage
from tests.dialects.breaking import error_behind
from tests.dialects.replies import read_reply
from tests.fixtures.table import table


def one() -> EmbeddingTranslator:
    return EmbeddingTranslator("nomic:v1", None)


def batch(count: int) -> EmbeddingTranslator:
    return EmbeddingTranslator("nomic:v1", count)


def answer(made: Translator, *pieces: bytes) -> dict[str, Any]:
    for piece in pieces:
        assert made.feed(piece) == b""
        assert made.keepalive() == b""
    assert error_behind(made, Framing.UNARY) == b""
    reply = json.loads(made.finish())
    assert made.complete
    assert made.content_type == "application/json; charset=UTF-8"
    return reply


def data(*vectors: Any, **more: Any) -> bytes:
    entries = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    return json.dumps({"object": "list", "data": entries, **more}).encode()


def test_one() -> None:
    made = one()
    assert answer(made, data([1, 0.5], usage={"prompt_tokens": 2, "total_tokens": 2})) == {
        "embedding": {"values": [1, 0.5]}
    }
    assert made.usage == Usage(2)


def test_many() -> None:
    reply = data([1.0], [2.0])
    assert answer(batch(2), *(reply[at : at + 1] for at in range(len(reply)))) == {
        "embeddings": [{"values": [1.0]}, {"values": [2.0]}]
    }


def test_one_in_a_batch_is_a_batch() -> None:
    assert answer(batch(1), data([1.0])) == {"embeddings": [{"values": [1.0]}]}


def test_vectors_are_put_in_order() -> None:
    entries = [{"index": at, "embedding": [at]} for at in (2, 0, 1)]
    made = batch(3)
    assert answer(made, json.dumps({"data": entries}).encode()) == {
        "embeddings": [{"values": [0]}, {"values": [1]}, {"values": [2]}]
    }


def test_large_replies_go_out_vector_by_vector() -> None:
    count, vector = 90, b"[%b]" % b",".join([b"0.10000000149011612"] * 64)
    entries = b",".join(b'{"index":%d,"embedding":%b}' % (at, vector) for at in range(count))
    made = batch(count)
    made.feed(b'{"data":[%b],"usage":{"prompt_tokens":7}}' % entries)
    pieces = made.finish()
    assert isinstance(pieces, tuple)
    assert len(pieces) == count + 2
    assert b"".join(pieces) == b'{"embeddings":[%b]}' % b",".join([b'{"values":%b}' % vector] * 90)
    assert made.usage == Usage(7)


def test_vectors_in_base64_are_read() -> None:
    packed = base64.b64encode(struct.pack("<2f", 1.0, -0.5)).decode()
    assert answer(one(), data(packed)) == {"embedding": {"values": [1.0, -0.5]}}


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
    made = one()
    made.feed(reply)
    with pytest.raises(StreamBroken):
        made.finish()


def test_a_reply_is_held_once() -> None:
    vector = b"[%b]" % b",".join([b"0.10000000149011612"] * 1024)
    reply = b'{"data":[%b]}' % b",".join([b'{"embedding":%b}' % vector] * 100)
    made = batch(100)
    tracemalloc.start()
    try:
        for at in range(0, len(reply), 65536):
            made.feed(reply[at : at + 65536])
        pieces = made.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(map(len, pieces)) > 0.99 * len(reply)
    assert peak < 1.2 * len(reply)


def test_too_large_a_reply() -> None:
    with pytest.raises(StreamBroken):
        one().feed(bytes(MAX_HELD_BYTES + 1))


@table(
    ("name", "count"),
    [
        ("llama-server.embeddings", 2),
        ("vllm-0.32.0.embeddings", 2),
        ("ollama-0.9.3.v1-embeddings", 1),
    ],
)
def test_recorded(name: str, count: int) -> None:
    made = batch(count)
    found = answer(made, *read_reply(name).chunks)["embeddings"]
    assert len(found) == count
    assert all(sum(x * x for x in one["values"]) == pytest.approx(1) for one in found)


def test_a_node_without_embeddings() -> None:
    reply = read_reply("sglang-0.5.23.embeddings")
    error = one().refuse(reply.status, reply.headers, reply.body)
    assert error.status == 400
    assert "embedding model" in error.message
