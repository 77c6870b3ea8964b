"""Helpers to pass a node's stream through a translator, and to read what a Gemini client gets."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.dialects.pairs import gemini_openai
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Framing
from tests.dialects.asking import context

DONE = b"data: [DONE]\n\n"


def event(**chunk: Any) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def delta(
    content: str | None = None, finish: str | None = None, index: int = 0, **more: Any
) -> bytes:
    """One event of the node ``tiny`` about one choice."""
    logprobs = more.pop("logprobs", None)
    said = {**({"content": content} if content is not None else {}), **more}
    choice: dict[str, Any] = {"index": index, "delta": said, "finish_reason": finish}
    if logprobs:
        choice["logprobs"] = {"content": logprobs}
    return event(id="chat-1", model="tiny", choices=[choice])


def usage(prompt: int, output: int, **more: Any) -> bytes:
    counts = {"prompt_tokens": prompt, "completion_tokens": output, **more}
    return event(id="chat-1", model="tiny", choices=[], usage=counts)


def translator(framing: Framing = Framing.SSE, client: str = "", **wanted: Any) -> Translator:
    return gemini_openai.make_translator(context(client=client), framing, **wanted)


def play(*stream: bytes, framing: Framing = Framing.SSE, client: str = "", **wanted: Any) -> bytes:
    """All that the client gets."""
    reader = translator(framing, client, **wanted)
    return b"".join([reader.feed(piece) for piece in stream]) + reader.finish()


def frames(reply: bytes) -> list[dict[str, Any]]:
    """The chunks of an SSE reply, whose framing must be exactly Google's."""
    pieces = reply.split(b"\r\n\r\n")
    assert pieces.pop() == b""
    assert all(piece.startswith(b"data: ") for piece in pieces)
    assert b"\n" not in b"".join(pieces)
    return [json.loads(piece[6:]) for piece in pieces]


def parts(*stream: bytes, **wanted: Any) -> list[list[dict[str, Any]]]:
    """The parts of each chunk; all other fields are checked for presence."""
    found = []
    for chunk in frames(play(*stream, **wanted)):
        (candidate,) = chunk["candidates"]
        assert candidate["content"]["role"] == "model"
        assert candidate["content"]["parts"]
        assert chunk["modelVersion"]
        assert chunk["responseId"]
        found.append(candidate["content"]["parts"])
    return found


def last(*stream: bytes, **wanted: Any) -> dict[str, Any]:
    return frames(play(*stream, **wanted))[-1]


def breaks(*stream: bytes, **wanted: Any) -> str:
    """What the client gets of a stream that breaks off."""
    reader = translator(**wanted)
    got = b""
    try:
        for piece in stream:
            got += reader.feed(piece)
        got += reader.finish()
    except StreamBroken:
        assert not reader.complete
        return got.decode()
    raise AssertionError(f"did not break: {got!r}")
