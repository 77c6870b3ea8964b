"""Tool calls are assembled, usage is added up, errors are found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.calls import MAX_CALLS, ToolCall, in_order
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, read_object
from casedesk_proxy.dialects.openai.chunks import DONE, CallList, UsageTally, read_usage
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Usage
from casedesk_proxy.wire.jsonarray import MAX_ELEMENT_BYTES
from tests.dialects.replies import names, read_reply
from tests.engines.known import ignored
from tests.fixtures.table import table


def put_together(
    *fragments: Any, declared: tuple[str, ...] = ()
) -> list[tuple[str, str, dict[str, Any] | None]]:
    begun: list[ToolCall] = []
    calls = CallList(begun, declared)
    for fragment in fragments:
        calls.add(fragment)
    return [(call.id, call.name, call.arguments()) for call in in_order(begun)]


def piece(index: int | None, ident: str = "", name: str = "", arguments: Any = None) -> Any:
    function: dict[str, Any] = {}
    if name:
        function["name"] = name
    if arguments is not None:
        function["arguments"] = arguments
    fragment: dict[str, Any] = {"function": function}
    if index is not None:
        fragment["index"] = index
    if ident:
        fragment["id"] = ident
    return fragment


@table(
    ("fragments", "wanted"),
    [
        ([], []),
        (
            [piece(0, "a", "f", ""), piece(0, arguments='{"x"'), piece(0, arguments=":1}")],
            [("a", "f", {"x": 1})],
        ),
        # Interleaved, and the second first.
        (
            [piece(1, "b", "g", '{"y":'), piece(0, "a", "f", "{}"), piece(1, arguments="2}")],
            [("a", "f", {}), ("b", "g", {"y": 2})],
        ),
        # Ollama: every call has the index 0.
        (
            [piece(0, "a", "f", '{"x":1}'), piece(0, "b", "f", '{"x":2}')],
            [("a", "f", {"x": 1}), ("b", "f", {"x": 2})],
        ),
        # An id of its own for every fragment.
        (
            [piece(0, "a", "f", '{"x"'), piece(0, "b", arguments=":1}"), piece(0, "c", "g", "{}")],
            [("a", "f", {"x": 1}), ("c", "g", {})],
        ),
        # The id repeated in every fragment.
        ([piece(0, "a", "f", '{"x"'), piece(0, "a", arguments=":1}")], [("a", "f", {"x": 1})]),
        # No index: by id.
        (
            [
                piece(None, "a", "f", '{"x"'),
                piece(None, "b", "g", "{}"),
                piece(None, "a", arguments=":1}"),
            ],
            [("a", "f", {"x": 1}), ("b", "g", {})],
        ),
        # Neither: the call before it.
        ([piece(None, "", "f", '{"x"'), piece(None, arguments=":1}")], [("", "f", {"x": 1})]),
        (
            [
                piece(None, "a", "f", ""),
                piece(None, arguments='{"x":1}'),
                piece(None, "b", "g", ""),
                piece(None, arguments='{"y":2}'),
            ],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
        ),
        ([piece(None, arguments="{}"), piece(None, "", "f")], [("", "f", {})]),
        # A name begins a call, unless the one before it has that name and is not whole.
        (
            [piece(None, "", "f", '{"x":1}'), piece(None, "", "g", "{}")],
            [("", "f", {"x": 1}), ("", "g", {})],
        ),
        (
            [piece(None, "", "f", '{"x":1}'), piece(None, "", "f", '{"x":2}')],
            [("", "f", {"x": 1}), ("", "f", {"x": 2})],
        ),
        (
            [piece(None, "", "f", ""), piece(None, "", "f", '{"x"'), piece(None, "", "f", ":1}")],
            [("", "f", {"x": 1})],
        ),
        # It is repeated in a last fragment without arguments.
        *(
            (
                [
                    piece(None, ident, "f", '{"a":'),
                    piece(None, "", "f", "1}"),
                    piece(None, "", "f", last),
                ],
                [(ident, "f", {"a": 1})],
            )
            for ident in ("", "a")
            for last in ("", "\n", None)
        ),
        (
            [piece(None, "", "f", '{"a":"{}'), piece(None, "", "f", '{}"}')],
            [("", "f", {"a": "{}{}"})],
        ),
        # The first name counts, if no functions were declared.
        ([piece(0, "a", "f", ""), piece(0, "", "f_1", "{}")], [("a", "f", {})]),
        ([piece(0, "a", "f", "{"), piece(0, "", "g", "}")], [("a", "f", {})]),
        ([piece(0, "a", " \n", ""), piece(0, "a", "f", "{}")], [("a", "f", {})]),
        # A call without an index after one with a higher index.
        (
            [piece(1, "", "f", '{"y":2}'), piece(None, "", "g", '{"x":1}')],
            [("", "f", {"y": 2}), ("", "g", {"x": 1})],
        ),
        # TGI: one id for all, and once the arguments as an object.
        (
            [piece(0, "0", "f", {"x": 1}), piece(1, "0", "g", "{}")],
            [("0", "f", {"x": 1}), ("", "g", {})],
        ),
        ([piece(0, "a", "f")], [("a", "f", {})]),
        ([piece(0, "a", "f", "null")], [("a", "f", {})]),
        ([piece(0, "a", "f", "[1]")], [("a", "f", None)]),
        ([piece(0, "a", "f", '{"x": ')], [("a", "f", None)]),
        (["junk", None, 3], []),
        ([{"index": "0", "function": None, "id": 7}], [("", "", {})]),
    ],
)
def test_calls(fragments: list[Any], wanted: list[tuple[str, str, Any]]) -> None:
    assert put_together(*fragments) == wanted


DECLARED = ("get_weather", "get_weather_now", "now", "get")


@table(
    ("said", "wanted"),
    [
        (["get_", "weather"], ["get_weather"]),
        (["g", "et_", "weather", "_now"], ["get_weather_now"]),
        (["g", "get_wea", "get_weather_n", "get_weather_now"], ["get_weather_now"]),
        (["get_", "get_", "weather", "get_weather"], ["get_weather"]),
        (["functions.get_weather", "get_weather"], ["get_weather"]),
        (["now", " ", "now"], ["now"]),
        # Both are declared: two calls.
        (["get_weather", "now"], ["get_weather", "now"]),
        (["get_", "weather", "now", "get"], ["get_weather", "now", "get"]),
        (["get", "get_weather"], ["get", "get_weather"]),
        # A model's own name.
        (["look", "up"], ["look"]),
        (["now", "look"], ["now"]),
    ],
)
@table("where", [{"index": 0}, {"index": 0, "ident": "0"}, {"index": None, "ident": "call_1"}])
def test_names(said: list[str], wanted: list[str], where: dict[str, Any]) -> None:
    fragments = [piece(name=name, arguments="", **where) for name in said]
    assert [name for _, name, _ in put_together(*fragments, declared=DECLARED)] == wanted
    fragments += [piece(arguments='{"x"', **where), piece(name="get", arguments=":1}", **where)]
    found = put_together(*fragments, declared=DECLARED)
    assert [name for _, name, _ in found] == wanted
    assert [given for _, _, given in found] == [*[{}] * (len(wanted) - 1), {"x": 1}]


@table(
    ("name", "whole"),
    [("now", True), ("get_weather", False), ("get_", False), ("get_weather_now", True),
     ("look", False), ("", False)],
)  # fmt: skip
def test_a_name_is_whole_if_no_declared_one_is_longer(name: str, whole: bool) -> None:
    begun: list[ToolCall] = []
    CallList(begun, DECLARED).add(piece(0, "a", name))
    assert begun[0].is_named is whole


def test_a_long_call_without_an_index_ends_where_its_object_ends() -> None:
    half = "x" * (MAX_ELEMENT_BYTES // 2)
    long = piece(None, "", "f", f'{{"x":"{half}'), piece(None, "", "f", f'{half}"}}')
    found = put_together(*long, piece(None, "", "f", '{"y":1}'))
    assert [given and list(given) for _, _, given in found] == [["x"], ["y"]]


def test_calls_are_bounded() -> None:
    half = "x" * (MAX_HELD_BYTES // 2)
    put_together(piece(0, "a", "f", half), piece(0, arguments=half))
    with pytest.raises(StreamBroken):
        put_together(piece(0, "a", "f", half), piece(0, arguments=half + "x"))


def test_calls_are_counted() -> None:
    most = [piece(None, f"c{at}", "f", "{}") for at in range(MAX_CALLS)]
    assert len(put_together(*most)) == MAX_CALLS
    with pytest.raises(StreamBroken, match="too many"):
        put_together(*most, piece(None, "one more", "f", "{}"))


def test_usage_beside_choices_is_a_running_total() -> None:
    tally = UsageTally()
    tally.take({"prompt_tokens": 3, "completion_tokens": 1}, alone=False)
    tally.take({"prompt_tokens": 3, "completion_tokens": 2}, alone=False)
    assert tally.total(1) == Usage(3, 2)
    tally.take({"prompt_tokens": 3, "completion_tokens": 4}, alone=True)
    assert tally.total(1) == Usage(3, 4)
    tally.take(None, alone=True)
    assert tally.total(1) == Usage(3, 4)


@table(("choices", "wanted"), [(1, Usage(12, 5, 11)), (2, Usage(12, 8, 11)), (3, Usage(12, 5, 11))])
def test_usage_alone_is_summed_when_each_choice_has_its_own(choices: int, wanted: Usage) -> None:
    tally = UsageTally()
    for tokens in (3, 5):
        counts = {
            "prompt_tokens": 12,
            "completion_tokens": tokens,
            "prompt_tokens_details": {"cached_tokens": 11},
        }
        tally.take(counts, alone=True)
    assert tally.total(choices) == wanted


def test_where_thoughts_are_counted() -> None:
    take = read_usage
    assert take({"completion_tokens_details": {"reasoning_tokens": 6}}).thoughts == 6
    assert take({"reasoning_tokens": 6, "completion_tokens_details": None}).thoughts == 6
    assert take({"reasoning_tokens": 0}).thoughts is None
    assert take({"prompt_tokens": True, "completion_tokens": -1}) == Usage()


@table(
    "payload",
    [b"", b"{", b"[]", b"7", b'{"error": {"message": "no"}}', b'{"error": "no"}',
     b'{"object": "error", "message": "no"}', b'{"x": NaN}'],
)  # fmt: skip
def test_what_is_no_chunk_breaks_the_stream(payload: bytes) -> None:
    with pytest.raises(StreamBroken) as caught:
        read_object(payload)
    assert "no" not in caught.value.message.split()


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.builds(
                piece,
                st.none() | st.integers(0, 2),
                st.sampled_from(["", "a", "b"]),
                st.sampled_from(["", "f"]),
                st.sampled_from([None, "", "{", "}", "{}", {}, 3]),
            ),
        )
    )
)
def test_any_fragments_make_a_list(fragments: list[Any]) -> None:
    found = put_together(*fragments)
    idents = [ident for ident, _, _ in found if ident]
    assert len(idents) == len(set(idents))


@table("name", names("*-tools", kind="chat stream"))
def test_recorded_calls(name: str) -> None:
    from casedesk_proxy.wire.sse import EventDecoder

    begun: list[ToolCall] = []
    calls = CallList(begun)
    for _, payload in EventDecoder().feed(read_reply(name).body):
        if payload != DONE:
            for choice in read_object(payload)["choices"]:
                for fragment in choice["delta"].get("tool_calls") or ():
                    calls.add(fragment)
    if "-tools" not in ignored(name):
        assert [(call.name, call.arguments()) for call in in_order(begun)] == [
            ("get_weather", {"city": "Paris"})
        ]
