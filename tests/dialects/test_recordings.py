"""Every recorded reply has a kind, every kind is replayed, and nothing else is taken for a reply.

Streams of chats and of messages have their own modules (``test_gemini_recorded``,
``pairs/anthropic_openai/test_recorded``, ``pairs/gemini_anthropic/test_reply``), and so have errors
(``test_faults``), embeddings and counts. This module has the rest: bodies of nodes that ignore
``stream``, and everything that no translator should ever receive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.core.counting import read_count
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.usage.extract import find_usage
from tests.dialects.anthropic_asking import asking, translated
from tests.dialects.pairs.gemini_anthropic.test_reply import translator as messages_translator
from tests.dialects.reading import translator
from tests.dialects.replies import kind_of, names, read_reply
from tests.engines.known import ignored
from tests.fixtures.table import table

#: Gemini's.
FRAMINGS = (Framing.UNARY, Framing.SSE, Framing.JSON_ARRAY)
READERS: dict[str, Callable[[], Translator]] = {
    **{
        f"gemini-openai-{framing}": lambda framing=framing: translator(framing, thoughts=True)
        for framing in FRAMINGS
    },
    **{
        f"gemini-anthropic-{framing}": lambda framing=framing: messages_translator(framing)
        for framing in FRAMINGS
    },
    **{
        f"anthropic-openai-{stream}": lambda stream=stream: (
            translated(asking(stream=stream)).translator
        )
        for stream in (True, False)
    },
}
#: What each makes of its own kind; the rest of the kinds are strangers to it.
OWN = {
    "gemini-openai": ("chat stream", "chat body"),
    "gemini-anthropic": ("messages stream", "messages body"),
    "anthropic-openai": ("chat stream", "chat body"),
}
#: What says to a client that a reply is whole.
ENDS = (b'"finishReason":"', b"message_stop", b'"stop_reason":"')
#: Legacy completions look like a chat of nothing but finish reasons.
LOOKALIKE = "completions"
SAID = "Hello, this is a tiny test model. It says café 😀 and stops here."
BODIES = [name for name in names("*", kind="chat body") if read_reply(name).status == 200]
REFUSALS = [name for name in names("*") if read_reply(name).status >= 400]


def read(reader: Translator, *pieces: bytes) -> bytes:
    """All that the client gets, also before a StreamBroken."""
    return b"".join([reader.feed(piece) for piece in pieces]) + reader.finish()


def test_every_recording_is_of_a_kind() -> None:
    assert [name for name in names("*") if not kind_of(name)] == []


@table("name", BODIES)
def test_a_body_instead_of_a_stream_at_every_split(name: str) -> None:
    faults = []
    for reader in READERS:
        # Nobody can ask for two choices in a Messages request.
        if "-openai-" in reader and not (name.endswith("-n2") and reader.startswith("anthropic")):
            faults += [f"{reader}: {fault}" for fault in _faults_of_body(name, READERS[reader])]
    assert not faults, "\n".join(faults)


def _faults_of_body(name: str, make: Callable[[], Translator]) -> Iterator[str]:
    body = read_reply(name).body
    whole = read(make(), body)
    for size in (1, 7, 100):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        if (got := read(make(), *pieces)) != whole:
            yield f"in pieces of {size} bytes: {got!r} instead of {whole!r}"
    if not any(end in whole for end in ENDS):
        yield f"has no end: {whole!r}"
    wanted = []
    if name.endswith("-tools") and "-tools" not in ignored(name):
        wanted = [b"get_weather", b"Paris"]
    elif name.rpartition(".")[2] in ("chat", "v1-chat") and not name.startswith("cyllama"):
        wanted = [json.dumps(SAID, ensure_ascii=False)[1:6].encode()]
    yield from (f"lacks {one!r}: {whole!r}" for one in wanted if one not in whole)


@table("name", ["llama-server.chat-tools", "vllm-0.32.0.chat-logprobs"])
@table("reader", [one for one in READERS if "-openai-" in one])
def test_a_body_cut_anywhere_is_no_reply(name: str, reader: str) -> None:
    body = read_reply(name).body.rstrip()
    for cut in range(len(body)):
        made = READERS[reader]()
        assert made.feed(body[:cut]) == b""
        with pytest.raises(StreamBroken):
            made.finish()


@table("name", names("*"))
def test_a_stranger_is_never_a_whole_reply(name: str) -> None:
    """Whatever a node sends with status 200, the client gets frames of its own protocol, or the one
    error."""
    faults = [
        f"{reader}: {fault}" for reader in READERS if (fault := _fault_of_stranger(name, reader))
    ]
    assert not faults, "\n".join(faults)


def _fault_of_stranger(name: str, reader: str) -> str | None:
    pair = next(one for one in OWN if reader.startswith(one))
    if kind_of(name) in OWN[pair] or (LOOKALIKE in name and pair.endswith("openai")):
        return None
    made, got = READERS[reader](), b""
    try:
        for piece in read_reply(name).chunks:
            got += made.feed(piece)
        got += made.finish()
    except StreamBroken:
        return f"an end before the error: {got!r}" if any(end in got for end in ENDS) else None
    # llama-server answers any model name.
    answered = ("error-model", "error-image", "error-context", "error-no-messages")
    if kind_of(name) == "error" and name.endswith(answered):
        return None
    return f"read as a whole reply: {got!r}"


@table("name", REFUSALS)
def test_every_recorded_refusal_is_an_error_of_each_surface(name: str) -> None:
    reply = read_reply(name)
    for surface in Dialect:
        found = map_node_error(surface, reply.status, reply.headers, reply.body, "gemma2:9b")
        assert found.status >= 400, surface
        assert "127.0.0.1" not in found.message, surface


@table("name", names("*", kind="count"))
def test_every_recorded_count_is_a_number(name: str) -> None:
    assert read_count(json.loads(read_reply(name).body)) > 0


@table("name", names("*", kind="gemini stream") + names("*", kind="gemini body"))
def test_usage_of_a_node_that_speaks_gemini(name: str) -> None:
    body = read_reply(name).body
    found = find_usage(Dialect.GEMINI, body[:8192], body[-8192:])
    last: Any = [json.loads(one) for one in _documents(body)][-1]
    told = last.get("usageMetadata")
    assert told is None or found.prompt == told["promptTokenCount"]


def _documents(body: bytes) -> list[bytes]:
    if body.startswith(b"data: "):
        return [one.removeprefix(b"data: ") for one in body.split(b"\n") if one.strip()]
    if body.startswith(b"["):
        return [json.dumps(one).encode() for one in json.loads(body)]
    return [body]
