"""The common part of every pair's stream: waiting bytes, and the place of errors."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.pairs import anthropic_openai, gemini_openai
from casedesk_proxy.errors import NodeError, StreamBroken
from casedesk_proxy.terms import Dialect, Framing
from tests.dialects.asking import context
from tests.dialects.breaking import ENVELOPE, error_behind
from tests.dialects.reading import delta, event
from tests.fixtures.table import table

BROKEN = delta("one") + event(error={"message": "out of memory"})


def anthropic() -> Translator:
    writer = anthropic_openai.make_writer(context(), streams=True)
    return anthropic_openai.make_translator(context(), writer)


def broken(
    translator: Translator,
    framing: Framing = Framing.SSE,
    surface: Dialect = Dialect.GEMINI,
) -> bytes:
    """A stream of a keepalive, then text and an error in one read; the client gets the error."""
    got = translator.keepalive()
    with pytest.raises(NodeError):
        translator.feed(BROKEN)
    assert not translator.complete
    return got + error_behind(translator, framing, surface)


def test_text_before_an_error_in_the_same_read_is_sent_with_it() -> None:
    array = json.loads(
        broken(gemini_openai.make_translator(context(), Framing.JSON_ARRAY), Framing.JSON_ARRAY)
        + b"]"
    )
    assert array[0]["candidates"][0]["content"]["parts"] == [{"text": "one"}]
    assert array[1] == json.loads(ENVELOPE)
    stream = broken(gemini_openai.make_translator(context(), Framing.SSE))
    frames = stream.decode().split("\r\n\r\n")
    assert [frame[:7] for frame in frames] == ["data: {", "data: {", ""]
    assert frames[1] == f"data: {ENVELOPE.decode()}"
    events = broken(anthropic(), surface=Dialect.ANTHROPIC).split(b"\n\n")
    assert [one.partition(b"\n")[0] for one in events if one] == [
        b"event: message_start",
        b"event: ping",
        b"event: content_block_start",
        b"event: content_block_delta",
        b"event: error",
    ]


@table("make", [anthropic, lambda: gemini_openai.make_translator(context(), Framing.SSE)])
def test_blanks_alone_are_no_reply(make: object) -> None:
    assert callable(make)
    translator = make()
    assert translator.feed(b"\r\n ") == b""
    with pytest.raises(StreamBroken, match="without an answer: it has no choices"):
        translator.finish()
