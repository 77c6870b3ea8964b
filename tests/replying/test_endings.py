"""How a broken reply ends for its client: the table, row by row."""

from __future__ import annotations

import itertools
import json

import pytest

from casedesk_proxy.errors import NoNode, StreamBroken
from casedesk_proxy.replying.endings import (
    Form,
    Parting,
    drop,
    end_behind,
    part,
    place_error,
)
from casedesk_proxy.replying.positions import ArrayTap, position_of
from casedesk_proxy.terms import Dialect, Framing, Position
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.chunked import LAST_CHUNK
from tests.fixtures.table import table

ERROR = StreamBroken("closed; wait")
ARRAY = b'[{"a": [1, "]"]}\r\n,\r\n{"b": "[{"}]'


def seen(form: Form, *pieces: bytes) -> Position:
    """The position in a body that has arrived in these pieces."""
    tap = ArrayTap() if form is Form.ARRAY else Tap()
    for piece in pieces:
        tap.take(piece)
    return position_of(form, tap)


def ending(sent: bytes) -> bytes:
    """The bytes that end an array of which this much was sent."""
    return place_error(Dialect.GEMINI, Form.ARRAY, seen(Form.ARRAY, sent), ERROR)


@table("bare", [False, True])
@table("surface", [one for one in Dialect if one is not Dialect.OLLAMA])
def test_between_events_the_error_is_told_error_first(surface: Dialect, bare: bool) -> None:
    frame = place_error(surface, Form.EVENTS, Position.BETWEEN, ERROR, bare=bare)
    data = frame.split(b"data: ")[1]
    assert seen(Form.EVENTS, frame) is Position.BETWEEN
    told = json.loads(data)
    if surface is Dialect.RESPONSES:
        assert told["type"] == "response.failed"  # Codex ignores any other error
        told = told["response"]
        assert told["error"]["message"] == "the node closed; wait"
        return
    assert told["error"]["message"] == "the node closed; wait"
    if surface is not Dialect.ANTHROPIC:
        assert next(iter(told)) == "error"


def test_between_lines_the_error_is_one() -> None:
    for sent in (b"", b'{"done":false}\n'):
        position = seen(Form.LINES, sent)
        assert position is Position.BETWEEN
        line = place_error(Dialect.OLLAMA, Form.LINES, position, ERROR)
        assert line == b'{"error":"the node closed; wait"}\n'


def test_inside_a_line_nothing_is_added_but_for_who_has_no_framing() -> None:
    position = seen(Form.LINES, b'{"done":fal')
    assert position is Position.INSIDE
    assert place_error(Dialect.OLLAMA, Form.LINES, position, ERROR) == b""
    told = place_error(Dialect.OLLAMA, Form.LINES, position, ERROR, bare=True)
    assert told == b'\n{"error":"the node closed; wait"}\n'


@table("tail", [b"data: {", b"data: {}\n", b"data: {}\r\n"])
def test_inside_an_event_nothing_is_added(tail: bytes) -> None:
    assert seen(Form.EVENTS, tail) is Position.INSIDE
    assert place_error(Dialect.GEMINI, Form.EVENTS, Position.INSIDE, ERROR) == b""


def test_inside_an_event_a_client_without_framing_is_told_behind_its_end() -> None:
    """The end of its connection would be the proper end of the message."""
    frame = place_error(Dialect.OPENAI, Form.EVENTS, Position.INSIDE, ERROR, bare=True)
    assert frame.startswith(b"\n\ndata: {")


@table(
    ("form", "position"),
    [
        *itertools.product([Form.UNARY], Position),
        (Form.ARRAY, Position.INSIDE),
        (Form.EVENTS, Position.OPENED),
        (Form.EVENTS, Position.UNOPENED),
    ],
)
@table("bare", [False, True])
def test_elsewhere_nothing_can_be_told(form: Form, position: Position, bare: bool) -> None:
    assert place_error(Dialect.GEMINI, form, position, ERROR, bare=bare) == b""


@table(
    ("sent", "told"),
    [
        (b"", b"["),
        (b"[", b""),
        (b'[{"a": [1, "]"]}', b","),
        (b'[{"a": 1}\r\n', b","),
        (b'[{"a": 1}\r\n,\r\n', b""),
    ],
)
def test_between_elements_the_error_is_one(sent: bytes, told: bytes) -> None:
    assert ending(sent).startswith(told)
    whole = json.loads(sent + ending(sent) + b"]")
    assert whole[-1]["error"]["message"] == "the node closed; wait"


@table("sent", [b'[{"a', b'[{"a": 1', b"[{}]", b"<html>", b'[{"a": "}'])
def test_elsewhere_an_array_is_only_cut(sent: bytes) -> None:
    assert ending(sent) == b""


@table("keep", range(len(ARRAY)))
def test_a_cut_array_is_an_array_with_an_error_or_none(keep: int) -> None:
    """The array is cut at any byte, or arrives at once: what the client has is an array with the
    error as its last element, or is not readable."""
    sent = ARRAY[:keep]
    position = seen(Form.ARRAY, sent)
    assert seen(Form.ARRAY, *(sent[at : at + 1] for at in range(keep))) is position
    told = place_error(Dialect.GEMINI, Form.ARRAY, position, ERROR)
    if told:
        assert json.loads(sent + told + b"]")[-1]["error"]["message"] == "the node closed; wait"
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(sent)


@table(
    ("bare", "told", "parting"),
    [
        (False, True, Parting.CLOSE),
        (False, False, Parting.CLOSE),
        (True, True, Parting.CLOSE),
        (True, False, Parting.RESET),
    ],
)
def test_no_end_is_a_clean_one(bare: bool, told: bool, parting: Parting) -> None:
    assert part(bare=bare, shown=told) is parting


def test_a_client_that_left_is_dropped() -> None:
    assert drop(bare=False) is Parting.ABORT
    assert drop(bare=True) is Parting.RESET


@table(
    ("surface", "client", "framing", "ends"),
    [
        (Dialect.RESPONSES, b"codex_exec/0.171.0 (Linux)", Framing.SSE, True),
        (Dialect.RESPONSES, b"ai-sdk/openai/3.0.141 runtime/node.js/v20", Framing.SSE, True),
        (Dialect.OPENAI, b"opencode/1.18 ai-sdk/openai-compatible/2.0.92", Framing.SSE, True),
        (Dialect.ANTHROPIC, b"ai-sdk/anthropic/3.0.140 runtime/node.js/v20", Framing.SSE, True),
        (Dialect.GEMINI, b"ai-sdk/google/3.0.141 runtime/node.js/v20", Framing.SSE, True),
        (Dialect.GEMINI, b"ai-sdk/google/3.0.141", Framing.JSON_ARRAY, False),
        (Dialect.OPENAI, b"ai-sdk-openai/4.0.118 node.js/v20.20.2", Framing.SSE, True),
        (Dialect.OPENAI, b"OpenAI/JS 6.30.1", Framing.SSE, False),
        (Dialect.RESPONSES, b"OpenAI/Python 3.57.0", Framing.SSE, False),
        (Dialect.RESPONSES, None, Framing.SSE, False),
        (Dialect.OPENAI, b"codex_exec/0.171.0", Framing.SSE, False),
    ],
)
def test_who_needs_an_end_behind_the_error(
    surface: Dialect, client: bytes | None, framing: Framing, ends: bool
) -> None:
    headers = () if client is None else ((b"User-Agent", client),)
    behind = end_behind(surface, framing, headers)(NoNode("none is free"))
    assert behind == (LAST_CHUNK if ends else b"")


@table(
    ("surface", "library", "framing", "again"),
    [
        (Dialect.GEMINI, b"google-genai-sdk/1.30.0 gl-node/v20.20.2", Framing.SSE, True),
        (Dialect.GEMINI, b"google-genai-sdk/1.70.0 gl-go/1.26", Framing.SSE, True),
        (Dialect.GEMINI, b"google-genai-sdk/3.6.1 gl-python/3.12.1", Framing.SSE, False),
        (Dialect.GEMINI, b"google-genai-sdk/1.30.0 gl-node/v20", Framing.JSON_ARRAY, False),
        (Dialect.OPENAI, b"google-genai-sdk/1.30.0 gl-node/v20", Framing.SSE, False),
    ],
)
def test_whose_last_bytes_are_the_bare_error(
    surface: Dialect, library: bytes, framing: Framing, again: bool
) -> None:
    headers = ((b"x-goog-api-client", library),)
    behind = end_behind(surface, framing, headers)(NoNode("none is free"))
    if again:
        _, last, end = behind.split(b"\r\n", 2)
        assert json.loads(last)["error"]["message"] == "none is free"
        assert end == LAST_CHUNK
    else:
        assert behind == b""
