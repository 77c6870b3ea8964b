"""Recordings of real nodes: replayed whole, in their pieces, byte by byte, and cut short."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import StreamBroken
from tests.dialects.anthropic_asking import WEATHER, asking, translated
from tests.dialects.pairs.anthropic_openai.test_reply import collected, ending, streamed, told
from tests.dialects.replies import cuts, names, read_reply
from tests.engines.known import known
from tests.fixtures.table import table

HELLO = "Hello, this is a tiny test model. It says café 😀 and stops here."
CALL = ("get_weather", {"city": "Paris"})
#: By the beginning and the end of a recording's name: its blocks, why it ended.
WANTED: list[tuple[str, str, list[Any], str]] = [
    ("llama-server-thinks", "", [("thinking", "The user wants some reply.\n"), HELLO], "end_turn"),
    *[(engine.name, end, *blocks)
      for engine, one in known("BLOCKS").items() for end, blocks in one.items()],
    ("vllm-0.32.0-thinks", "", [("thinking", "\nThe user wants some reply.\n"), "\n\n" + HELLO],
     "end_turn"),
    ("", "-tools", [CALL], "tool_use"),
    ("llama-server", "-json-schema", ['{"name":"","age":5}'], "end_turn"),
    ("", "-json-schema", ['{"name":"","age":0}'], "end_turn"),
    ("llama-server", "-stop", ["Hello, this is a"], "end_turn"),
    ("", "-stop", ["Hello, this is a"], "stop_sequence"),
    ("", "-length", ["Hello, this"], "max_tokens"),
    ("", "-ping", ["Hello, this"], "max_tokens"),
    ("", "-logprobs", ["Hello, this"], "max_tokens"),
    ("", "", [HELLO], "end_turn"),
]  # fmt: skip
#: Two choices were asked for in ``n2``, which no Messages request can; vLLM refused it.
STREAMS = [
    name
    for name in names("*", kind="chat stream")
    if not name.endswith("-n2") and not name.startswith("cyllama")
]
ANYTHING: dict[str, Any] = {
    "thinking": {"type": "adaptive"},
    "stop_sequences": [" tiny"],
    "tools": [WEATHER],
}
_FINISH = re.compile(rb'"finish_reason": ?"[^\n]*\n')


def wanted(name: str) -> tuple[list[Any], str]:
    """The tiny model's text: its bigram table determines every reply."""
    fits = (one for one in WANTED if name.startswith(one[0]) and name.endswith(one[1]))
    _, _, blocks, reason = next(fits)
    return blocks, reason


def test_the_corpus_is_there() -> None:
    assert len(STREAMS) > 30


@table("name", STREAMS)
def test_what_the_model_said(name: str) -> None:
    body = read_reply(name).body
    blocks, reason = wanted(name)
    assert told(body, **ANYTHING) == blocks
    assert ending(body, **ANYTHING) == (reason, " tiny" if reason == "stop_sequence" else None)


@table("name", STREAMS)
def test_every_chunking_gives_the_same(name: str) -> None:
    reply = read_reply(name)
    body = reply.body
    whole = streamed(body, **ANYTHING)
    assert streamed(*reply.chunks, **ANYTHING) == whole
    assert streamed(*(body[at : at + 1] for at in range(len(body))), **ANYTHING) == whole
    message = collected(body, **ANYTHING)
    assert collected(*reply.chunks, **ANYTHING) == message
    assert message["usage"] == whole[0]["message"]["usage"] | whole[-2]["usage"]
    assert message["id"] == whole[0]["message"]["id"]


@pytest.mark.long
@pytest.mark.parametrize("name", STREAMS)
def test_no_cut_looks_finished(name: str) -> None:
    body = read_reply(name).body
    finish = _FINISH.search(body)
    assert finish
    finished = finish.end() - 1
    blocks, reason = wanted(name)
    for at in cuts(body, finished - 40):
        made = [
            translated(asking(**ANYTHING, stream=stream)).translator for stream in (True, False)
        ]
        events, message = (_read(one, body[:at]) for one in made)
        assert (b"message_stop" in events) == (message != b"")
        if not message:
            assert at < len(body)
            continue
        assert at >= finished, f"cut at {at} of {len(body)}, before the finish at {finished}"
        told = json.loads(message)
        assert told["stop_reason"] == reason
        assert len(told["content"]) == len(blocks)


def _read(translator: Translator, body: bytes) -> bytes:
    """What a client has received if the node's reply ends here."""
    out = b""
    try:
        out = translator.feed(body)
        return out + translator.finish()
    except StreamBroken:
        return out
