"""The last members of a document, read from its last bytes; strings with the same text do not
count."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.jsonio import dumps
from casedesk_proxy.wire.tails import (
    event_around,
    last_line,
    outermost_values,
    read_object,
)
from tests.fixtures.table import table

NAME = b'"n"'


@table(
    ("tail", "values"),
    [
        (b'{"n":1}', [1]),
        (b'{"n" : {"a":{"b":2}}}', [{"a": {"b": 2}}]),
        (b'{"a":{"n":1},"b":2}', []),
        (b'[{"n":1},{"n":2}]', [1, 2]),
        (b'data: {"n":1}\n\ndata: {"n":2}\n\n', [1, 2]),
        (b'data: {"n":1}\r\n\r\ndata: {"a":"\\"n\\":7"}\r\n\r\n', [1]),
        (b'{"a":"n","n":1}', [1]),
        (b'{"n":1,"a":["n"]}', [1]),
        # Texts that end in the name, with brackets in them.
        (b'{"n":"[\\"n"}', ['["n']),
        (b'{"n":1,"a":"}]\\"n"}', [1]),
        (b'{"a":"{\\"n","n":1}', [1]),
        (b'cut off","n":1}', [1]),
        # The end is no whole event: only what can be parsed is believed.
        (b'data: {"n":1}', [1]),
        (b'data: [{"n":1}]', []),
        (b'data: {"n":1', []),
        (b'data: {"a":{"n":1}}', [None]),
        # What strict JSON has not, and what no JSON is.
        (b'{"n":{"a":NaN,"b":1}}', None),
        (b'{"n":{"a":"}","b":1}}', [{"a": "}", "b": 1}]),
        (b'{"n":what}', [None]),
        # One value over several lines of an event.
        (b'data: {"n":{"a":\ndata: 1}}\n\n', [{"a": 1}]),
    ],
)
def test_members_of_the_documents(tail: bytes, values: list[Any] | None) -> None:
    found = outermost_values(tail, NAME, 9)
    if values is None:
        (value,) = found
        assert value["b"] == 1
    else:
        assert found == values


def test_members_one_level_further_down() -> None:
    tail = b'data: {"r":{"n":1}}\n\ndata: {"r":{"n":2}}'
    assert outermost_values(tail, NAME, 9, inside="r") == [1, 2]
    assert outermost_values(b'data: {"n":2}', NAME, 9, inside="r") == [None]


def test_so_many_places_are_looked_at_and_no_more() -> None:
    assert outermost_values(b'data: {"n":1}\n\n' * 9, NAME, 3) == [1, 1, 1]


DOCUMENTS = st.dictionaries(
    st.sampled_from(["n", "m", 'a"', "{"]),
    st.recursive(
        st.integers(0, 9) | st.text(alphabet='n":{}[]\\', max_size=8),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["n", "m"]), inner, max_size=2)
        ),
        max_leaves=6,
    ),
)


@given(DOCUMENTS)
def test_in_a_whole_document_it_is_its_member(document: dict[str, Any]) -> None:
    wanted = [document["n"]] if "n" in document else []
    assert outermost_values(dumps(document), NAME, 99) == wanted


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_passed_over(garbage: bytes) -> None:
    values = outermost_values(b'data: {"n":' + garbage + b',"n":1}', NAME, 9)
    assert len(values) <= 9


def test_the_event_around_a_place() -> None:
    body = b'event: a\ndata: {"a":1}\n\n: comment\nid: 7\ndata: {"b":\ndata: 2}\n\ndata: {"c"'
    assert event_around(body, body.index(b'"a"')) == {"a": 1}
    assert event_around(body, body.index(b'"b"')) == {"b": 2}
    assert event_around(body, body.index(b'"c"')) is None


@table(
    ("body", "line"),
    [(b"", b""), (b"a", b"a"), (b"a\n", b"a"), (b"a\nb", b"b"), (b"a\r\nb\r\n \n", b"b")],
)
def test_the_last_line(body: bytes, line: bytes) -> None:
    assert last_line(body) == line


@table(("line", "value"), [(b'{"a":1}', {"a": 1}), (b"[1]", None), (b'{"a', None)])
def test_a_line_that_is_an_object(line: bytes, value: object) -> None:
    assert read_object(line) == value
