"""A document, or a stream with another content type, in the place of a stream."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.errors import NodeError, StreamBroken
from casedesk_proxy.replying.bodies.translated import ReplyTranslation
from casedesk_proxy.replying.bodies.unfolded import UNFOLDERS, UnfoldedBody, UnfoldingTranslator
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.terms import Action, Dialect, Position, Usage
from casedesk_proxy.wire.chunked import LAST_CHUNK, ChunkReader, frame_chunk
from tests.fixtures.table import table

CHOICE = {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}
COUNTS = {"prompt_tokens": 1, "completion_tokens": 2}
CHAT = json.dumps({"object": "chat.completion", "choices": [CHOICE], "usage": COUNTS}).encode()
BEGUN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
LAST = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'


def translator() -> UnfoldingTranslator:
    return UnfoldingTranslator(Dialect.OPENAI, "m", UNFOLDERS[Action.CHAT], b": \n\n")


@table("size", [1, 7, 1000])
def test_a_document_becomes_events_at_its_end(size: int) -> None:
    made = translator()
    for at in range(0, len(CHAT), size):
        assert made.feed(CHAT[at : at + size]) == b""
        assert made.halt() == (b"", Position.BETWEEN)
        assert made.keepalive() == b": \n\n"
    assert not made.complete
    stream = made.finish()
    assert stream.startswith(b'data: {"object":"chat.completion.chunk"')
    assert stream.endswith(b"data: [DONE]\n\n")
    assert made.complete
    assert made.usage == Usage(1, 2)


def test_its_numbers_remain_exact() -> None:
    made = UnfoldingTranslator(Dialect.ANTHROPIC, "m", UNFOLDERS[Action.MESSAGES], b"")
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"id": 2**80}}
    made.feed(
        json.dumps({"type": "message", "content": [call], "stop_reason": "tool_use"}).encode()
    )
    assert f'\\"id\\":{2**80}'.encode() in made.finish()


@table("size", [1, 7, 1000])
def test_a_stream_with_another_content_type_is_passed_on(size: int) -> None:
    made, stream = translator(), b": hello\n\n" + BEGUN + LAST
    sent = b"".join(made.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    assert sent + made.finish() == stream
    assert made.usage == Usage(1, 2)
    assert made.complete


def google(text: str, **more: str) -> dict[str, object]:
    content = {"parts": [{"text": text}], "role": "model"}
    counts = {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}
    return {"candidates": [{"content": content, **more}], "usageMetadata": counts}


def gemini() -> UnfoldingTranslator:
    return UnfoldingTranslator(Dialect.GEMINI, "m", UNFOLDERS[Action.STREAM_GENERATE], b": \n\n")


@table("size", [1, 7, 1000])
def test_google_s_array_becomes_the_events(size: int) -> None:
    documents = [google("a\nb"), google("c", finishReason="STOP")]
    made, array = gemini(), json.dumps(documents, indent=2).replace("\n", "\r\n").encode()
    pieces = []
    for at in range(0, len(array), size):
        pieces.append(made.feed(array[at : at + size]))
        assert made.halt() == (b"", Position.BETWEEN)
    events = (b"".join(pieces) + made.finish()).decode().split("\r\n\r\n")
    assert [json.loads(one.removeprefix("data: ")) for one in events[:-1]] == documents
    assert not any("\n" in one for one in events)
    assert made.complete
    assert made.usage == Usage(1, 2)


@table(
    ("array", "did"),
    [
        ([google("a")], "ended before the answer was complete"),
        ([], "ended before the answer was complete"),
        ([google("a", finishReason="STOP")], "ended before the answer was complete"),
    ],
)
def test_an_array_that_is_no_answer(array: list[object], did: str) -> None:
    made, text = gemini(), json.dumps(array).encode() + b"        "
    # The last one lacks its closing bracket.
    made.feed(text.replace(b"]  ", b"   ") if b"finish" in text else text)
    with pytest.raises(StreamBroken, match=did):
        made.finish()


def test_an_array_that_is_none() -> None:
    made = gemini()
    with pytest.raises(StreamBroken, match="cannot be read: no comma between elements"):
        made.feed(b'[{"candidates":[]}{}]')


def test_inside_an_event_nothing_is_inserted() -> None:
    made = translator()
    made.feed(BEGUN[:20])
    assert made.halt() == (b"", Position.INSIDE)
    assert made.keepalive() == b""


@table(
    ("body", "did"),
    [
        (b"", "reply was empty"),
        (b" \n", "reply was empty"),
        (b'{"choices":', "sent a reply that is not JSON"),
        (b'{"ok":true}', "without an answer: it has no choices"),
        (b'{"choices":[{"finish_reason":"stop","message":' + b'{"a":' * 300 + b"1" + b"}" * 301
         + b"]}", "nested too deeply"),
        (BEGUN, "ended before the answer was complete"),
    ],
)  # fmt: skip
def test_what_is_no_answer(body: bytes, did: str) -> None:
    made = translator()
    made.feed(body)
    with pytest.raises(StreamBroken, match=did):
        made.finish()


@table(
    ("body", "did"),
    [
        (b"The answer is yes.", "neither events nor JSON"),
        (b"[1, 2, 3, 4]", "neither events nor JSON"),
        (b"<!doctype html><html>", "web page"),
    ],
)
def test_what_is_refused_by_its_first_bytes(body: bytes, did: str) -> None:
    with pytest.raises(StreamBroken, match=did):
        translator().feed(body)


def test_an_error_in_its_place_is_judged() -> None:
    told = b'{"error":{"message":"too long","code":400}}'
    for body in (told, b"data: " + told + b"\n\n"):
        made = translator()
        with pytest.raises(NodeError) as error:
            made.feed(body)
            made.finish()
        assert error.value.answered == 400


def test_a_document_that_is_too_large() -> None:
    with pytest.raises(StreamBroken, match="too large"):
        translator().feed(b"{" + bytes(MAX_HELD_BYTES))


@table(("reason", "given_up"), [("stop", False), ("abort", True)])
def test_an_answer_that_its_node_gave_up(reason: str, given_up: bool) -> None:
    translation = ReplyTranslation(translator(), Dialect.OPENAI, Form.EVENTS)
    body = UnfoldedBody(ChunkReader(), translation, bare=False)
    wire = frame_chunk(CHAT.replace(b'"stop"', f'"{reason}"'.encode()))
    assert body.take(wire, body.reader.read(wire), unsent=True) == b""
    sent = body.finish(unsent=True)
    assert isinstance(sent, bytes)
    assert sent.endswith(LAST_CHUNK)
    assert body.is_given_up(Dialect.OPENAI) is given_up
