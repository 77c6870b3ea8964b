"""Recorded streams of real nodes, translated with every cut and every split."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Framing
from tests.dialects.reading import frames, translator
from tests.dialects.replies import names, read_reply
from tests.engines.known import ignored, known
from tests.fixtures.table import table

TEXT = "Hello, this is a tiny test model. It says café 😀 and stops here."
THOUGHT = "The user wants some reply."
#: vLLM refuses two choices at temperature 0.
STREAMS = [name for name in names("*", kind="chat stream") if name != "vllm-0.32.0.chat-stream-n2"]
#: One of each kind, each engine at least once; every byte of each is a place to cut.
CUT = (
    "llama-server.chat-stream-n2",
    "llama-server.chat-stream-tools",
    "llama-server.chat-stream-ping",
    "vllm-0.32.0.chat-stream-tools",
    "vllm-0.32.0.chat-stream-logprobs",
    "sglang-0.5.23.chat-stream-stop",
    "ollama-0.9.3.v1-chat-stream-tools",
    *known("CUT").values(),
    "cyllama-0.2.18.chat-stream",
)


def run(pieces: list[bytes], framing: Framing = Framing.SSE) -> bytes:
    reader = translator(framing, thoughts=True)
    return b"".join([reader.feed(piece) for piece in pieces]) + reader.finish()


def told(chunks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The texts, the calls and the end of each candidate."""
    found: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for candidate in chunk["candidates"]:
            one = found.setdefault(
                candidate["index"], {"text": "", "thought": "", "calls": [], "finish": None}
            )
            assert one["finish"] is None
            one["finish"] = candidate.get("finishReason")
            for part in candidate["content"]["parts"]:
                if "functionCall" in part:
                    one["calls"].append(
                        (part["functionCall"]["name"], part["functionCall"]["args"])
                    )
                else:
                    one["thought" if part.get("thought") else "text"] += part["text"]
    return found


@table("name", STREAMS)
def test_every_split_gives_the_same(name: str) -> None:
    reply = read_reply(name)
    assert reply.status == 200
    body = reply.body
    whole = run([body])
    assert run(reply.chunks) == whole
    assert run([body[at : at + 1] for at in range(len(body))]) == whole
    for size in (2, 7, 100):
        assert run([body[at : at + size] for at in range(0, len(body), size)]) == whole
    chunks = frames(whole)
    array = run(reply.chunks, Framing.JSON_ARRAY)
    assert json.loads(array) == chunks
    unary = json.loads(run(reply.chunks, Framing.UNARY))
    assert {**told(chunks)} == told([unary])
    assert unary.get("usageMetadata") == chunks[-1].get("usageMetadata")


@table("name", STREAMS)
def test_what_is_told(name: str) -> None:
    chunks = frames(run(read_reply(name).chunks))
    found = told(chunks)
    kind = name.partition("chat-stream")[2]
    first = found[0]
    if kind in ignored(name):
        assert first["finish"]
        return
    if kind == "-tools":
        assert first == {
            "text": "",
            "thought": "",
            "calls": [("get_weather", {"city": "Paris"})],
            "finish": "STOP",
        }
    elif kind in ("", "-usage", "-reasoning") and not name.startswith("cyllama"):
        assert first["text"].strip() == TEXT
        assert first["finish"] == "STOP"
        thinks = "thinks" in name
        assert (THOUGHT in first["thought"]) is thinks
    elif kind in ("-length", "-n2", "-logprobs"):
        assert first["text"] == "Hello, this"
        assert first["finish"] == "MAX_TOKENS"
    elif kind == "-stop":
        assert first["text"] == "Hello, this is a"
        assert first["finish"] == "STOP"
    if kind == "-n2":
        assert found[1] == found[0]


@table(
    ("name", "wanted"),
    [
        ("llama-server.chat-stream-usage", (12, 21, 11, None, 33)),
        ("llama-server-thinks.chat-stream-reasoning", (12, 30, None, None, 42)),
        ("vllm-0.32.0-thinks.chat-stream-reasoning", (12, 24, None, 6, 42)),
        ("sglang-0.5.23.chat-stream-usage", (12, 21, None, None, 33)),
        ("ollama-0.9.3.v1-chat-stream-usage", (12, 21, None, None, 33)),
        *known("USAGE").values(),
        ("litellm.chat-stream-usage", (12, 21, 11, None, 33)),
        # One usage chunk for each choice, the first in the middle of the stream.
        ("llama-server.chat-stream-n2", (12, 6, 11, None, 18)),
    ],
)
def test_usage(name: str, wanted: tuple[int | None, ...]) -> None:
    counts = frames(run(read_reply(name).chunks))[-1]["usageMetadata"]
    fields = ("promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount",
              "thoughtsTokenCount", "totalTokenCount")  # fmt: skip
    assert tuple(counts.get(field) for field in fields) == wanted


@pytest.mark.long
@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("framing", [Framing.SSE, Framing.UNARY])
def test_a_cut_is_an_error_or_lost_nothing(name: str, framing: Framing) -> None:
    body = read_reply(name).body
    whole = run([body], framing)
    wanted = told([json.loads(whole)] if framing is Framing.UNARY else frames(whole))
    ended = 0
    for cut in range(len(body)):
        reader = translator(framing, thoughts=True)
        got = b""
        try:
            got = reader.feed(body[:cut])
            got += reader.finish()
        except StreamBroken:
            assert b"finishReason" not in got
            if framing is Framing.UNARY:
                assert got == b""
            else:
                frames(got)
            continue
        ended += 1
        chunks = [json.loads(got)] if framing is Framing.UNARY else frames(got)
        # Only the usage, or what follows it, was cut off.
        assert told(chunks) == wanted
    assert ended or name.startswith("cyllama")


def test_an_empty_stream_of_200_is_an_error() -> None:
    reader = translator()
    with pytest.raises(StreamBroken):
        for piece in read_reply("llama-cpp-python-0.3.36.error-context").chunks:
            reader.feed(piece)
        reader.finish()


def test_cyllama_answers_with_one_body() -> None:
    chunks = frames(run(read_reply("cyllama-0.2.18.chat-stream").chunks))
    assert told(chunks)[0]["finish"] == "STOP"
