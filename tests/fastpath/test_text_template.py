"""Text that is recognised without parsing gives the same result as parsing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.pairs import anthropic_openai, gemini_anthropic, gemini_openai
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.fastpath.text_template import TextTemplate
from casedesk_proxy.terms import Framing
from tests.dialects.asking import context
from tests.dialects.replies import REPLIES, kind_of, read_reply
from tests.fixtures.effort import examples
from tests.fixtures.table import table

BEFORE, AFTER = b'data: {"id":1,"a":{"content":"', b'"},"b":null}\n\n'


def text_of(document: Any) -> Any:
    return document["a"]["content"]


def learnt(data: bytes = BEFORE + b"word" + AFTER) -> TextTemplate:
    repeated = TextTemplate(b"content", text_of)
    repeated.learn(data)
    return repeated


@table(
    "text",
    [b"x", b" the", rb"\n\n", rb"say \"so\" \\ \b\f\r\t", "café 😀".encode(), b"\x7f", b"data: "],
)
def test_a_text_is_found_where_one_was_learnt(text: bytes) -> None:
    assert learnt().read(BEFORE + text + AFTER) == b'"' + text + b'"'


@table(
    "text",
    [
        b"",  # says nothing
        b'"',
        b'a","content":"b',
        b"\\",
        rb"\u0041",
        rb"\/",
        rb"\x",
        b"\n",
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",  # half a character
        "\u2028".encode(),
        "a\u0085".encode(),
    ],
)
def test_what_needs_a_second_look_gets_it(text: bytes) -> None:
    assert learnt().read(BEFORE + text + AFTER) is None


def test_nothing_else_may_differ() -> None:
    repeated = learnt()
    assert repeated.read(BEFORE.replace(b"1", b"2") + b"x" + AFTER) is None
    assert repeated.read(BEFORE + b"x" + AFTER.replace(b"null", b"true")) is None
    assert repeated.read(BEFORE + b"x" + AFTER + BEFORE + b"x" + AFTER) is None
    assert repeated.read(BEFORE + b"x" + AFTER[:-1]) is None
    # Beginning and end that overlap are not both there.
    assert repeated.read(BEFORE + AFTER[1:]) is None
    assert repeated.read(BEFORE + b"x" + AFTER) is not None
    repeated.forget()
    assert repeated.read(BEFORE + b"x" + AFTER) is None


@table(
    "data",
    [
        b'data: {"a":{"content":"x"},"content":"y"}\n\n'.replace(b'"a":', b'"b":', 1),
        b'data: {"content":"x","a":{"content":"x"}}\n\n',  # the first is not the one
        b'data: {"a":{"content":"x","content":"y"}}\n\n',  # the last one counts
        b'data: {"a":{"content":["x"]}}\n\n',
        b'data: {"a":{"content": "x"}}\n\n',  # told with blanks: not worth a place
        b'data: {"a":{"content":"x"}}\n',
        b'data: {"a":{"content":"x"}}\r\n\r\n',
        b'data: {"a":{"content":"x"}}\n\n: more\n\n',
        b'\xef\xbb\xbfdata: {"a":{"content":"x"}}\n\n',
        b": ping\n\n",
        b"",
    ],
)
def test_a_place_in_doubt_is_not_learnt(data: bytes) -> None:
    if data.endswith(b": more\n\n"):
        # One event and a comment are one event all the same.
        assert learnt(data).read(data.replace(b"x", b"y")) == b'"y"'
        return
    assert learnt(data).read(data.replace(b"x", b"z")) is None
    assert learnt(data).read(data) is None


def test_a_node_that_never_repeats_itself_is_given_up() -> None:
    repeated = TextTemplate(b"content", text_of)
    for at in range(8):
        assert repeated.learns
        repeated.learn(BEFORE.replace(b"1", b"%d" % at) + b"x" + AFTER)
    assert not repeated.learns
    repeated.learn(BEFORE + b"x" + AFTER)
    assert repeated.read(BEFORE + b"x" + AFTER) is None


def test_one_that_does_is_not() -> None:
    repeated = TextTemplate(b"content", text_of)
    for at in range(30):
        before = BEFORE.replace(b"1", b"%d" % at)
        repeated.learn(before + b"x" + AFTER)
        assert repeated.read(before + b"y" + AFTER) == b'"y"'


def test_a_long_text_is_left_to_a_parser() -> None:
    repeated = learnt()
    long = BEFORE + b"x" * 1024 + AFTER
    assert repeated.read(long) is None
    assert repeated.read(BEFORE + b"x" + AFTER) == b'"x"'
    for _ in range(9):
        repeated.learn(long)
        assert repeated.read(BEFORE + b"y" + AFTER) is None
    assert repeated.learns


def anthropic(*, streams: bool, thinks: bool = False) -> Translator:
    writer = anthropic_openai.make_writer(context(), streams=streams)
    return anthropic_openai.make_translator(context(), writer, thinks=thinks)


MAKERS: dict[str, Callable[[], Any]] = {
    "gemini": lambda: gemini_openai.make_translator(context(), Framing.SSE),
    "gemini, thoughts": lambda: gemini_openai.make_translator(
        context(), Framing.SSE, thoughts=True
    ),
    "gemini, array": lambda: gemini_openai.make_translator(context(), Framing.JSON_ARRAY),
    "gemini, unary": lambda: gemini_openai.make_translator(context(), Framing.UNARY),
    "gemini, held back": lambda: gemini_openai.make_translator(
        context(client="genai-js/0.24"), Framing.SSE
    ),
    "anthropic": lambda: anthropic(streams=True, thinks=True),
    "anthropic, unary": lambda: anthropic(streams=False),
}
MESSAGES_MAKERS: dict[str, Callable[[], Any]] = {
    "gemini": lambda: gemini_anthropic.make_translator(context(), Framing.SSE, thoughts=True),
    "gemini, array": lambda: gemini_anthropic.make_translator(context(), Framing.JSON_ARRAY),
    "gemini, unary": lambda: gemini_anthropic.make_translator(context(), Framing.UNARY),
}


def outcome(translator: Translator, reads: Iterable[bytes | None]) -> list[Any]:
    """The result of each read; None is a moment of silence."""
    seen: list[Any] = []
    try:
        for data in reads:
            seen.append(translator.keepalive() if data is None else translator.feed(data))
        seen.append(translator.finish())
    except StreamBroken as error:
        seen.append(str(error))
    return [*seen, translator.complete, translator.usage, translator.halt()]


def assert_parsed(make: Callable[[], Any], reads: list[bytes | None]) -> None:
    parsing = make()
    parsing._template._patience = 0
    assert outcome(make(), reads) == outcome(parsing, reads)


def chunk(choice: dict[str, Any], **more: Any) -> bytes:
    told = {"id": "x", "model": "m", "choices": [{"index": 0, **choice}], **more}
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


def said(text: Any, finish: Any = None, **more: Any) -> bytes:
    return chunk({"delta": {"content": text, **more}, "finish_reason": finish})


TEXTS = st.text(min_size=1, max_size=4) | st.sampled_from(['"', "\\", "\n", "\u2028", "é", ""])
SAID = TEXTS.map(said)
#: Written as JSON allows, not as anybody writes it.
RAW = st.binary(max_size=6).map(lambda hole: said("#").replace(b"#", hole))
OTHER = st.one_of(
    st.builds(said, TEXTS, st.sampled_from([None, "", "stop", "length", "error", 1])),
    st.builds(lambda text: said(text, reasoning_content="t"), TEXTS),
    st.builds(lambda text: said(text, role="assistant", refusal=None), TEXTS),
    st.builds(lambda text: chunk({"index": 1, "delta": {"content": text}}), TEXTS),
    st.builds(lambda text: chunk({"delta": {"content": text}}, usage={"prompt_tokens": 1}), TEXTS),
    st.builds(
        lambda text: chunk({
            "delta": {"content": text}, "logprobs": {"content": [{"token": "a", "logprob": -1}]},
        }),
        TEXTS,
    ),
    st.sampled_from([
        chunk({"delta": {"tool_calls": [{"index": 0, "id": "call", "function": {
            "name": "f", "arguments": "{}"}}]}}),
        chunk({"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}}),
        b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
        b"data: [DONE]\n\n", b": ping\n\n", b"\n", b"data: ", b"\r", b"event: error\n",
        b'data: {"error":"no"}\n\n', said("a") + said("b"), said("a")[:-1],
    ]),
)  # fmt: skip
READS = st.lists(SAID | SAID | SAID | RAW | OTHER | st.none(), max_size=12)


@pytest.mark.parametrize("maker", MAKERS)
@examples(300)
@given(reads=READS)
def test_any_chat_is_read_as_if_it_were_parsed(maker: str, reads: list[bytes | None]) -> None:
    assert_parsed(MAKERS[maker], reads)


def spoken(text: Any, kind: str = "text_delta", field: str = "text") -> bytes:
    told = {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: text}}
    data = json.dumps(told, separators=(",", ":")).encode()
    return b"event: content_block_delta\ndata: " + data + b"\n\n"


SPOKEN = TEXTS.map(spoken)
SPOKEN_RAW = st.binary(max_size=6).map(lambda hole: spoken("#").replace(b"#", hole))
SPOKEN_OTHER = st.one_of(
    st.builds(lambda text: spoken(text, "thinking_delta", "thinking"), TEXTS),
    st.builds(lambda text: spoken(text, "thinking_delta"), TEXTS),
    st.sampled_from([
        spoken(["a"]), spoken("a").replace(b"event: content_block_delta", b"event: error"),
        b'data: {"type":"message_start","message":{"id":"i","usage":{"input_tokens":1}}}\n\n',
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
        b'data: {"type":"message_stop"}\n\n', b"data: ", b"event: error\n", b": ping\n\n",
        spoken("a") + spoken("b"), spoken("a")[:-1],
    ]),
)  # fmt: skip


@pytest.mark.parametrize("maker", MESSAGES_MAKERS)
@examples(300)
@given(reads=st.lists(SPOKEN | SPOKEN | SPOKEN_RAW | SPOKEN_OTHER | st.none(), max_size=12))
def test_any_messages_are_read_as_if_they_were_parsed(
    maker: str, reads: list[bytes | None]
) -> None:
    assert_parsed(MESSAGES_MAKERS[maker], reads)


CHATS = [
    path.stem for path in sorted(REPLIES.glob("*.http")) if kind_of(path.stem) == "chat stream"
]
MESSAGES = [
    path.stem for path in sorted(REPLIES.glob("*.http")) if kind_of(path.stem) == "messages stream"
]


@table(
    ("name", "makers"),
    [*((one, MAKERS) for one in CHATS), *((one, MESSAGES_MAKERS) for one in MESSAGES)],
)
def test_recorded_streams(name: str, makers: dict[str, Callable[[], Any]]) -> None:
    reads: list[bytes | None] = [*read_reply(name).chunks]
    for make in makers.values():
        assert_parsed(make, reads)


@table("engine", ["llama-server", "ollama-0.9.3", "sglang-0.5.23", "vllm-0.32.0"])
def test_engines_repeat_themselves(engine: str) -> None:
    """Otherwise the template would never be used."""
    (name,) = [one for one in CHATS if one in (f"{engine}.chat-stream", f"{engine}.v1-chat-stream")]
    translator = MAKERS["gemini"]()
    events = [one + b"\n\n" for one in read_reply(name).body.split(b"\n\n") if one]
    read = 0
    for data in events:
        read += translator._template.read(data) is not None
        translator.feed(data)
    assert read > len(events) / 2
