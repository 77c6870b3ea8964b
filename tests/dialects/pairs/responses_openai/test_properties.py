"""Properties of every Responses request and of everything that a node may send."""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, StreamBroken, Unsupported
from casedesk_proxy.terms import Dialect
from tests.dialects.breaking import error_behind
from tests.dialects.pairs.anthropic_openai.test_properties import (
    ENGINE,
    JSON,
    ODD,
    STREAMS,
    WORDS,
    optional,
)
from tests.dialects.pairs.anthropic_openai.test_recorded import STREAMS as RECORDED
from tests.dialects.pairs.anthropic_openai.test_reply import DONE, chunk, event
from tests.dialects.pairs.anthropic_openai.test_sdk import check_request
from tests.dialects.replies import cuts, read_reply
from tests.dialects.responses_asking import (
    FREEFORM,
    MCP,
    WEATHER,
    WEB_SEARCH,
    asking,
    called,
    events,
    read,
    result,
    said,
    translated,
)
from tests.fixtures.sdks import openai
from tests.fixtures.table import table

TEXTS = WORDS.map(lambda text: {"type": "input_text", "text": text})
IMAGES = st.sampled_from(
    ["data:image/png;base64,aGk=", "data:image/gif;base64,aGk=", "https://x.test/a"]
).map(lambda url: {"type": "input_image", "image_url": url})
FILES = st.sampled_from(["data:text/plain,hi", "data:application/pdf;base64,aGk="]).map(
    lambda data: {"type": "input_file", "file_data": data}
)
CONTENT = WORDS | st.lists(TEXTS | IMAGES | FILES, max_size=2)
ROLES = st.sampled_from(["user", "assistant", "developer", "system"])
THOUGHTS = WORDS.map(
    lambda text: {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}
)
NAMES = st.sampled_from(["get_weather", "f", "with.dot", "x" * 90])


@st.composite
def inputs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Items in any order, but each result follows its call, as OpenAI requires."""
    items: list[dict[str, Any]] = [said("user", draw(CONTENT))]
    waiting: list[str] = []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["message", "call", "result", "thought", "trace"]))
        if kind == "message":
            items.append(said(draw(ROLES), draw(CONTENT)))
        elif kind == "call":
            waiting.append(f"c{number}")
            namespace = draw(st.sampled_from([{}, {"namespace": "mcp__weather"}]))
            items.append(called(waiting[-1], draw(NAMES), "{}", **namespace))
        elif kind == "result" and waiting:
            items.append(result(waiting.pop(draw(st.integers(0, len(waiting) - 1))), "ok"))
        elif kind == "thought":
            items.append(draw(THOUGHTS))
        else:
            items.append({"type": "web_search_call", "id": "ws"})
    return items + [result(ident) for ident in waiting]


REQUESTS = st.builds(
    lambda items, fields: asking(*items, **fields),
    inputs(),
    optional(
        instructions=WORDS,
        tools=st.lists(
            st.sampled_from([WEATHER, MCP, WEB_SEARCH, FREEFORM]), max_size=4, unique_by=id
        ),
        tool_choice=st.sampled_from(["auto", "none", {"type": "web_search"}]),
        parallel_tool_calls=st.booleans(),
        reasoning=optional(
            effort=st.sampled_from(["none", "low", "xhigh"]), summary=st.just("auto")
        ),
        text=optional(
            verbosity=st.sampled_from(["low", "medium"]),
            format=st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
        ),
        max_output_tokens=st.integers(1, 100),
        temperature=st.floats(0, 2),
        top_p=st.floats(0, 1),
        top_logprobs=st.integers(0, 20),
        store=st.booleans(),
        stream=st.booleans(),
        previous_response_id=st.just("resp_1"),
        metadata=st.just({"a": "b"}),
    ),
)


@cache
def stream_event() -> TypeAdapter[Any]:
    return TypeAdapter(openai.types.responses.ResponseStreamEvent)


def sent(body: dict[str, Any], engine: EngineSpec, **changes: Any) -> dict[str, Any] | ProxyError:
    """The node's request, which openai's types accept, or the refusal. Nothing else is allowed."""
    try:
        made = translated(body, engine, **changes)
    except (BadRequest, Unsupported) as fault:
        return fault
    return check_request(made.body)


@given(REQUESTS, ENGINE, st.booleans(), st.booleans(), st.booleans())
def test_a_valid_request_is_made_over_or_refused_by_name(
    body: dict[str, Any], engine: EngineSpec, fold: bool, first: bool, refuse: bool
) -> None:
    made = sent(body, engine, fold_system=fold, system_first=first, refuse_tools=refuse)
    if isinstance(made, ProxyError):
        assert made.status == 400
        assert made.violations
        assert all(one.path.partition(".")[0].partition("[")[0] in body for one in made.violations)
        return
    waiting: set[str] = set()
    for before, message in itertools.pairwise([{"role": ""}, *made["messages"]]):
        if message["role"] == "tool":
            assert before["role"] in ("assistant", "tool")
            waiting.remove(message["tool_call_id"])
        else:
            assert not waiting
            assert message["role"] != before["role"]
            waiting = {call["id"] for call in message.get("tool_calls", ())}
    assert not waiting


FIELDS = (
    "input", "instructions", "tools", "tool_choice", "reasoning", "text", "include", "stream",
    "temperature", "top_p", "top_logprobs", "max_output_tokens", "store", "truncation", "seed",
)  # fmt: skip
KINDS = (
    "message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
    "item_reference", "compaction", "mcp_call",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=4), ENGINE)
def test_no_request_fails_otherwise(odd: dict[str, Any], engine: EngineSpec) -> None:
    made = sent({**asking(), **odd}, engine)
    assert made.violations if isinstance(made, ProxyError) else "messages" in made


@given(
    st.lists(
        st.builds(
            lambda kind, fields: {"type": kind, **fields},
            st.sampled_from(KINDS),
            st.dictionaries(
                st.sampled_from(
                    ["role", "content", "call_id", "name", "namespace", "arguments", "output"]
                ),
                ODD,
                max_size=4,
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    ENGINE,
)
def test_no_item_fails_otherwise(items: list[Any], engine: EngineSpec) -> None:
    made = sent(asking("Hi", *items), engine)
    if isinstance(made, ProxyError):
        assert all(one.path.startswith("input") for one in made.violations)


@given(STREAMS)
def test_both_forms_say_the_same(pieces: list[bytes]) -> None:
    stream, body = read(pieces, stream=True), read(pieces, stream=False)
    assert (stream is None) == (body is None)
    if stream is None or body is None:
        return
    found = events(stream)
    for one in found:
        stream_event().validate_python(one)
    assert found[-1]["response"] == json.loads(body)
    assert found[-1]["type"] in ("response.completed", "response.incomplete")
    _check_items(found)


def _check_items(found: list[dict[str, Any]]) -> None:
    """No item begins before the previous one is done, and each event belongs to the open item."""
    opened: str | None = None
    done: list[Any] = []
    for one in found:
        if one["type"] == "response.output_item.added":
            assert opened is None
            assert one["output_index"] == len(done)
            opened = one["item"]["id"]
        elif one["type"] == "response.output_item.done":
            assert one["item"]["id"] == opened
            done.append(one["item"])
            opened = None
        elif "item_id" in one:
            assert one["item_id"] == opened
            assert one["output_index"] == len(done)
    assert opened is None
    assert found[-1]["response"]["output"] == done


@given(STREAMS, st.lists(st.integers(0, 2000)))
def test_every_split_gives_the_same(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    edges = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    split = [whole[a:b] for a, b in itertools.pairwise(edges)]
    assert read(split, stream=True) == read([whole], stream=True)


@table("name", RECORDED)
def test_every_chunking_of_recorded_replies_gives_the_same(name: str) -> None:
    reply = read_reply(name)
    for stream in (True, False):
        whole = read([reply.body], stream=stream)
        assert whole is not None
        assert read(list(reply.chunks), stream=stream) == whole
        single = [reply.body[at : at + 1] for at in range(len(reply.body))]
        assert read(single, stream=stream) == whole


@pytest.mark.long
@pytest.mark.parametrize("name", RECORDED)
def test_no_cut_of_recorded_replies_looks_finished(name: str) -> None:
    body = read_reply(name).body
    finish = max(body.rfind(b'"finish_reason":"'), body.rfind(b'"finish_reason": "'))
    assert finish > 0
    for at in cuts(body, finish - 20):
        made = translated(asking(stream=True)).translator
        out = b""
        try:
            out = made.feed(body[:at])
            out += made.finish()
        except StreamBroken as broken:
            assert b"response.completed" not in out
            assert b"response.incomplete" not in out
            out += error_behind(made, surface=Dialect.RESPONSES, error=broken)
            assert events(out)[-1]["type"] == "response.failed"
        else:
            assert at > finish


@given(st.lists(JSON.map(lambda value: event({"choices": [value]})) | st.binary(max_size=30)))
def test_no_bytes_fail_otherwise(pieces: list[bytes]) -> None:
    for stream in (True, False):
        read(pieces, stream=stream)


@given(
    st.dictionaries(st.sampled_from(["content", "reasoning", "refusal", "tool_calls"]), ODD),
    st.dictionaries(st.sampled_from(["finish_reason", "logprobs"]), ODD),
    st.dictionaries(st.sampled_from(["id", "usage", "model", "error", "created"]), ODD),
)
def test_no_chunk_fails_otherwise(delta: Any, choice: Any, more: Any) -> None:
    piece = event({"choices": [{"delta": delta, **choice}], **more})
    body = json.dumps({"choices": [{"message": delta, **choice}], **more}).encode()
    for stream in (True, False):
        read([piece, piece, chunk(finish="stop"), DONE], stream=stream)
        read([body], stream=stream)
