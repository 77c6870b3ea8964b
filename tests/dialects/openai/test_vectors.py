"""Vectors exactly as the node wrote them, from a document in any pieces."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.openai.vectors import VectorReader
from casedesk_proxy.errors import NodeError, StreamBroken
from tests.fixtures.table import table

#: Numbers as nodes write them, which a parser would write otherwise.
WRITTEN = b"[0.10000000149011612, -1.50, 3,1e-05, 12345678901234567890123]"


def read(*pieces: bytes, reader: VectorReader | None = None) -> list[bytes]:
    reader = reader or VectorReader()
    for piece in pieces:
        reader.feed(piece)
    return [reader.text(entry["embedding"]) for entry in reader.finish()["data"]]


def document(*vectors: bytes) -> bytes:
    return b'{"data":[%b]}' % b",".join(b'{"embedding":%b}' % one for one in vectors)


def test_a_vector_keeps_its_text() -> None:
    assert read(document(WRITTEN, b"[]", b"[1.0]")) == [WRITTEN, b"[]", b"[1.0]"]


@table("size", [1, 2, 7, 64])
def test_wherever_the_pieces_end(size: int) -> None:
    whole = document(WRITTEN, b"[-0.5,7]").replace(b":", b" \n:\t ")
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert read(*pieces) == [WRITTEN, b"[-0.5,7]"]


def test_what_stands_around_it() -> None:
    reader = VectorReader(b',{"values":', b"}")
    assert read(document(b"[1e3,2]"), reader=reader) == [b',{"values":[1e3,2]}']


def test_all_else_of_the_document_is_left() -> None:
    reader = VectorReader()
    reader.feed(b'{"model":"m","data":[{"index":4,"embedding":[1,2]}],"usage":{"prompt_tokens":5}}')
    assert reader.finish() == {
        "model": "m",
        "data": [{"index": 4, "embedding": 0}],
        "usage": {"prompt_tokens": 5},
    }


def test_a_key_that_looks_like_it_is_none() -> None:
    odd = rb'{"data":[{"embedding":[1],"a\"embedding":[2],"b":"\"embedding\":[3"}]}'
    assert read(odd) == [b"[1]"]


def test_a_vector_that_stands_apart_from_its_key_is_read_with_the_document() -> None:
    assert read(b'{"data":[{"embedding":%b[1.5]}]}' % (b" " * 200)) == [b"[1.5]"]


def test_base64_becomes_a_list() -> None:
    packed = base64.b64encode(struct.pack("<3f", 0.1, -0.5, 63.75)).replace(b"/", rb"\/")
    assert read(document(b'"%b"' % packed)) == [b"[0.10000000149011612,-0.5,63.75]"]


@table(
    "value",
    [
        b"null", b"7", b"-1", b"true", b"[true]", b"[1e]", b"[NaN]", b"[null]", b'["1"]', b'"A"',
        b'"AADAfw=="', b'"AAA="', '"é"'.encode(), b"{}",
    ],
)  # fmt: skip
def test_what_is_no_vector(value: bytes) -> None:
    with pytest.raises(StreamBroken):
        read(document(value))


def test_the_node_s_own_error_goes_before_a_broken_vector() -> None:
    with pytest.raises(NodeError):
        read(b'{"embedding":[x],"error":{"message":"out of memory","code":500}}')


def test_a_document_without_end() -> None:
    reader = VectorReader()
    reader.feed(b'{"data":[{"embedding":[')
    with pytest.raises(StreamBroken):
        reader.feed(b"1" * MAX_HELD_BYTES)
    unended = VectorReader()
    unended.feed(b'{"data":[{"embedding":[1,')
    with pytest.raises(StreamBroken):
        unended.finish()


#: JSON has no word for others.
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
VECTORS = st.lists(FINITE | st.integers(), max_size=5)


@given(
    st.lists(st.tuples(VECTORS, JSON_VALUES), max_size=4),
    st.integers(1, 40),
    st.booleans(),
)
def test_what_is_around_vectors_does_not_matter(
    entries: list[tuple[list[float], Any]], size: int, ascii: bool
) -> None:
    data = [{"x": beside, "embedding": vector, "y": beside} for vector, beside in entries]
    whole = json.dumps({"data": data}, ensure_ascii=ascii).encode("utf-8", "replace")
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert read(*pieces) == [json.dumps(vector).encode() for vector, _ in entries]
