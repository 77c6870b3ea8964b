"""The client's own names in a reply of a node whose request had flat ones."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.responses.names import FlatNames, QualifiedName
from casedesk_proxy.errors import NodeError, StreamBroken
from casedesk_proxy.replying.namespaces import NameRestorer, NamespacedBody, NamespacedStream
from casedesk_proxy.terms import Position, Usage
from tests.fixtures.table import table

FLAT = "mcp__weather__get_weather"
TOOLS = b'[{"type":"namespace","name":"mcp__weather"}]'
USAGE = {"input_tokens": 3, "output_tokens": 4}


def restorer(tools: bytes = TOOLS) -> NameRestorer:
    names = FlatNames(strict=False)
    assert names.flatten(QualifiedName("get_weather", "mcp__weather")) == FLAT
    names.flatten(QualifiedName("plain"))
    return NameRestorer(names, tools)


def test_what_it_holds_is_known() -> None:
    """The size counts, since the names are remembered with responses, within a bound."""
    assert restorer(b"x" * 500).size > 500 + len(FLAT)


def call(name: str = FLAT, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "c", "name": name, "arguments": "{}", **more}


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def response(**fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "status": "x", "output": [], "tools": [{"name": FLAT}], **fields}


CREATED = event("response.created", sequence_number=0, response=response())
DELTA = event("response.output_text.delta", sequence_number=1, delta='a "function_call" \n\n b')
ADDED = event("response.output_item.added", sequence_number=2, item=call())
DONE = event(
    "response.completed", sequence_number=3, response=response(output=[call()], usage=USAGE)
)
STREAM = [CREATED, DELTA, ADDED, DONE]


def read(pieces: list[bytes], tools: bytes = TOOLS) -> bytes:
    stream = NamespacedStream("gpt", restorer(tools))
    return b"".join([stream.feed(piece) for piece in pieces]) + stream.finish()


def datas(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(one.split(b"data: ", 1)[1]) for one in stream.split(b"\n\n")[:-1]]


def test_names_come_back_in_every_place() -> None:
    created, _, added, done = datas(read(STREAM))
    assert created["response"]["tools"] == json.loads(TOOLS)
    for item in (added["item"], done["response"]["output"][0]):
        assert (item["name"], item["namespace"]) == ("get_weather", "mcp__weather")
        assert item["arguments"] == "{}"


def test_an_event_without_a_call_is_the_node_s_own_bytes() -> None:
    assert NamespacedStream("gpt", restorer()).feed(DELTA) is DELTA


@table("blank", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_every_chunking_gives_the_same(blank: bytes) -> None:
    line = b"\n" if blank == b"\n\n" else blank[: len(blank) // 2]
    stream = b"".join(STREAM).replace(b"\n", line)
    whole = read([stream])
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]]) == whole
    assert read([stream[at : at + 1] for at in range(len(stream))]) == whole


@given(st.lists(st.integers(0, 2000), max_size=6))
def test_pieces_of_any_size(cuts: list[int]) -> None:
    stream = b"".join(STREAM)
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    assert read(pieces) == read(STREAM)


def test_data_on_several_lines_becomes_one() -> None:
    data = json.dumps({"type": "response.output_item.added", "item": call()}, indent=1)
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    for name, shown in (("event: x\n", b"event: x"), ("", b"event: message")):
        stream = read([CREATED, f"{name}{lines}\n".encode(), DONE])
        assert stream.split(b"\n\n")[1].split(b"\n")[0] == shown
        assert datas(stream)[1]["item"]["name"] == "get_weather"


def test_a_namespace_that_the_node_names_itself_is_not_named_twice() -> None:
    body = json.dumps(response(output=[call(namespace=None)])).encode()
    restored = restorer().restore_body(body)
    assert restored.count(b'"namespace"') == 2, "one of them in the tools"
    assert json.loads(restored)["output"][0]["namespace"] == "mcp__weather"


@table(
    "item",
    [call("plain"), call("unknown"), {"type": "message"}, 7, {"type": "function_call"}, call(7)],  # type: ignore[arg-type]
)
def test_other_items_are_left_alone(item: Any) -> None:
    body = json.dumps(response(output=[item])).encode()
    assert restorer(b"").restore_body(body) == body
    data = json.dumps({"type": "x", "item": item, "response": None}).encode()
    assert restorer().restore_event(data) == data


def test_the_name_of_finished_arguments() -> None:
    done = event("response.function_call_arguments.done", name=FLAT, arguments="{}")
    assert datas(read([CREATED, done, DONE]))[1]["name"] == "get_weather"


@table("document", [b"[]", b"{", b""])
def test_what_is_no_object_breaks_the_reply(document: bytes) -> None:
    with pytest.raises(StreamBroken):
        restorer().restore_body(document)


def test_a_body() -> None:
    body = NamespacedBody("gpt", restorer())
    whole = json.dumps(response(output=[call()], usage=USAGE)).encode()
    assert body.feed(whole[:9]) + body.feed(whole[9:]) == b""
    assert (body.complete, body.keepalive(), body.halt()) == (False, b"", (b"", Position.INSIDE))
    restored = json.loads(body.finish())
    assert restored["output"][0]["name"] == "get_weather"
    assert body.complete
    assert body.usage == Usage(3, 4)


@table("stream", [False, True])
def test_an_error_in_place_of_an_answer(stream: bool) -> None:
    make = NamespacedStream if stream else NamespacedBody
    reply = make("gpt", restorer())
    with pytest.raises(NodeError):
        reply.feed(b'{"error":{"message":"no","code":400}}')
        reply.finish()


def test_an_error_as_the_first_event() -> None:
    with pytest.raises(NodeError):
        NamespacedStream("gpt", restorer()).feed(b'data: {"error":{"message":"no","code":400}}\n\n')


def test_a_body_in_place_of_a_stream() -> None:
    reply = NamespacedStream("gpt", restorer())
    reply.feed(b'{"id":"resp_1"}')
    with pytest.raises(StreamBroken):
        reply.finish()


@table("count", [1, 2, 3])
def test_a_stream_that_breaks_shows_its_response_again(count: int) -> None:
    reply = NamespacedStream("gpt", restorer())
    for piece in STREAM[:count]:
        reply.feed(piece)
    reply.feed(DONE[:20])
    with pytest.raises(StreamBroken):
        reply.finish()
    shown, position = reply.halt()
    assert position is Position.BETWEEN
    (again,) = datas(shown)
    assert (again["type"], again["sequence_number"]) == ("response.in_progress", count)
    assert again["response"]["id"] == "resp_1"
    assert again["response"]["tools"] == json.loads(TOOLS)


def test_a_stream_that_breaks_before_it_began() -> None:
    assert NamespacedStream("gpt", restorer()).halt() == (b"", Position.BETWEEN)


def test_it_is_complete_with_its_last_event() -> None:
    reply = NamespacedStream("gpt", restorer())
    reply.feed(CREATED)
    assert (reply.complete, reply.keepalive()) == (False, b":\n\n")
    reply.feed(DONE)
    assert (reply.complete, reply.keepalive()) == (True, b"")
    assert reply.usage == Usage(3, 4)


def test_an_end_that_lacks_its_blank_line() -> None:
    assert read([*STREAM[:3], DONE[:-2]]) == read(STREAM)[:-2]


def test_there_is_a_limit_to_what_is_held() -> None:
    for make in (NamespacedStream, NamespacedBody):
        reply = make("gpt", restorer())
        with pytest.raises(StreamBroken):
            for _ in range(65):
                reply.feed(b"x" * 2**20)


def test_what_a_node_refuses_is_said_in_our_words() -> None:
    fault = NamespacedBody("gpt", restorer()).refuse(400, (), b'{"error":{"message":"no such"}}')
    assert fault.status == 400


def test_a_document_in_the_place_of_a_stream_becomes_events() -> None:
    document = response(status="completed", output=[call()], usage=USAGE)
    stream = NamespacedStream("gpt", restorer())
    assert stream.feed(json.dumps(document).encode()) == b""
    events = stream.finish()
    assert FLAT.encode() not in events
    assert events.count(b'"namespace":"mcp__weather"') == 3
    assert events.startswith(b"event: response.created\n")
    assert stream.complete
    assert stream.usage == Usage(3, 4)
