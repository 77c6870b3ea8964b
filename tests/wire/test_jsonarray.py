"""Any split of a streamed array gives the same elements, and the position is always known."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire import jsonarray
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayTooLarge, ArrayWriter, NotAnArray
from tests.fixtures.table import table

CASES = {
    "empty": (b"[]", []),
    "blank": (b" \r\n[ \n\t]\n", []),
    "objects": (b'[{"a":1}\n,\r\n{"b":[2,{}]}\n]', [b'{"a":1}', b'{"b":[2,{}]}']),
    "brackets in strings": (b'[{"a":"]}[{,\\"]"},["\\\\"]]', [b'{"a":"]}[{,\\"]"}', b'["\\\\"]']),
    "scalars": (b'[1,-2.5e3 ,true,null,"a,b]"]', [b"1", b"-2.5e3", b"true", b"null", b'"a,b]"']),
    "arrays": (b"[[],[[]] , [1]]", [b"[]", b"[[]]", b"[1]"]),
    "utf-8": ('["é\u2028"]'.encode(), ['"é\u2028"'.encode()]),
}


def scan(pieces: list[bytes]) -> tuple[list[bytes], ArrayScanner]:
    scanner = ArrayScanner()
    return [element for piece in pieces for element in scanner.feed(piece)], scanner


@table(("text", "wanted"), CASES.values(), ids=CASES)
def test_whole_and_byte_by_byte(text: bytes, wanted: list[bytes]) -> None:
    for pieces in ([text], [bytes([byte]) for byte in text]):
        elements, scanner = scan(pieces)
        assert elements == wanted
        assert scanner.ended
        assert not scanner.at_boundary


@table("text", [case[0] for case in CASES.values()], ids=CASES)
def test_with_a_tail(text: bytes) -> None:
    _, scanner = scan([text, b" \r\n"])
    with pytest.raises(NotAnArray):
        scanner.feed(b"x")


def test_an_object_is_given_as_soon_as_it_is_whole() -> None:
    scanner = ArrayScanner()
    assert scanner.feed(b'[{"a":1}') == [b'{"a":1}']
    assert scanner.at_boundary


@table(
    ("text", "between"),
    [
        (b"", False),
        (b" ", False),
        (b"[", True),
        (b"[{", False),
        (b"[{}", True),
        (b"[{}\n,", True),
        (b'[{"a":"', False),
        (b"[1", False),
        (b"[1 ", True),
        (b"[{}]", False),
    ],
)
def test_between(text: bytes, between: bool) -> None:
    assert scan([text])[1].at_boundary is between


@table(("text", "separator"), [(b"[", b""), (b"[{}", b","), (b"[{} ,", b""), (b"[{},1 ", b",")])
def test_another_element_can_be_added_between_two(text: bytes, separator: bytes) -> None:
    _, scanner = scan([text])
    assert scanner.separator == separator
    assert json.loads(text + scanner.separator + b'{"error":{}}]')[-1] == {"error": {}}


@table(
    "text", [b"{}", b"x", b"]", b"[,", b"[1,,", b"[1,]", b"[1 2", b"[{}{", b"[][", b"[]]", b'[] ""']
)
def test_what_is_no_array(text: bytes) -> None:
    with pytest.raises(NotAnArray):
        scan([text])


def test_a_large_element_is_refused() -> None:
    for pieces in ([b'["' + b"x" * 99 + b'"]'], [b'["'] + [b"x"] * 99, [b"["] + [b"1"] * 99):
        scanner = ArrayScanner(limit=64)
        with pytest.raises(ArrayTooLarge):
            for piece in pieces:
                scanner.feed(piece)
    assert len(ArrayScanner(limit=64).feed(b"[" + b"{}," * 1000)) == 1000


def test_a_deep_element_is_refused() -> None:
    with pytest.raises(ArrayTooLarge):
        ArrayScanner().feed(b"[" * (jsonarray.MAX_DEPTH + 1))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=5), st.sampled_from([None, 1]), st.lists(st.integers(0, 500)))
def test_every_split_gives_the_elements(
    values: list[Any], indent: int | None, cuts: list[int]
) -> None:
    text = json.dumps(values, indent=indent).encode()
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    elements, scanner = scan([text[a:b] for a, b in itertools.pairwise(edges)])
    assert [json.loads(element) for element in elements] == values
    assert scanner.ended


@given(
    st.lists(
        st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"1", b" ", b":"]), max_size=20
    ),
    st.binary(max_size=10),
)
def test_no_bytes_raise_anything_else(pieces: list[bytes], tail: bytes) -> None:
    """The only error is the one that it is not an array."""
    scanner = ArrayScanner()
    try:
        for piece in [*pieces, tail]:
            scanner.feed(piece)
    except (NotAnArray, ArrayTooLarge):
        pass


@given(st.lists(JSON, max_size=4), st.lists(st.integers(0, 5)))
def test_what_is_written_reads_back(values: list[Any], blanks: list[int]) -> None:
    writer = ArrayWriter()
    written = b""
    for at, value in enumerate(values):
        written += b"".join(writer.blank() for _ in range(blanks.count(at)))
        written += writer.element(json.dumps(value).encode())
    written += b"".join(writer.blank() for _ in range(blanks.count(5))) + writer.close()
    assert written.startswith(b"[")
    assert written.endswith(b"]")
    assert json.loads(written) == values
    assert [json.loads(one) for one in ArrayScanner().feed(written)] == values


def test_the_layout_is_googles() -> None:
    writer = ArrayWriter()
    assert writer.element(b"{}") + writer.element(b"{}") + writer.close() == b"[{}\n,\r\n{}\n]"
    assert ArrayWriter().close() == b"[]"
