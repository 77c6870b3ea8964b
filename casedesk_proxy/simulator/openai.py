"""The simulated node in OpenAI's protocol: chat, completions, embeddings."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest, StreamBroken
from casedesk_proxy.simulator.answer import (
    Frame,
    PlannedAnswer,
    Prompt,
    Stream,
    Whole,
    compose,
    count_words,
    embed,
    read_text,
)
from casedesk_proxy.simulator.script import Script
from casedesk_proxy.surfaces import openai
from casedesk_proxy.terms import Action
from casedesk_proxy.wire.sse import frame

__all__ = ["answer"]

_BROKEN = StreamBroken("broke, as its script says", its="simulated model")
_DONE = Frame(frame(b"[DONE]"))


def answer(action: Action, body: dict[str, Any], model: str, script: Script) -> Whole | Stream:
    """Raises BadRequest."""
    if action is Action.EMBEDDINGS:
        return Whole(_embeddings(body, model))
    chat = action is Action.CHAT
    made = compose(_read_chat(body) if chat else _read_completion(body), script)
    if body.get("stream"):
        options = body.get("stream_options")
        counted = isinstance(options, dict) and bool(options.get("include_usage"))
        frames = _frames(made, model, chat=chat, counted=counted)
        return Stream("text/event-stream", frames, openai.error_frame(_BROKEN))
    text = "".join(made.pieces)
    said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    reply = _head(model, "chat.completion" if chat else "text_completion")
    reply["choices"] = [{"index": 0, **said, "logprobs": None, "finish_reason": _finish(made)}]
    reply["usage"] = _usage(made)
    return Whole(reply, made.tokens)


def _frames(made: PlannedAnswer, model: str, *, chat: bool, counted: bool) -> Iterator[Frame]:
    """The count comes in a chunk of its own after the finish, without choices."""
    head = _head(model, "chat.completion.chunk" if chat else "text_completion")

    def frame(said: dict[str, Any], finish: str | None = None, *, word: bool = False) -> Frame:
        choice = {"index": 0, **said, "finish_reason": finish}
        return _frame({**head, "choices": [choice]}, word=word)

    if chat:
        yield frame({"delta": {"role": "assistant", "content": ""}})
    for piece in made.pieces:
        yield frame({"delta": {"content": piece}} if chat else {"text": piece}, word=True)
    yield frame({"delta": {}} if chat else {"text": ""}, _finish(made))
    if counted:
        yield _frame({**head, "choices": [], "usage": _usage(made)})
    yield _DONE


def _frame(chunk: dict[str, Any], *, word: bool = False) -> Frame:
    return Frame(frame(jsonio.dumps_stream(chunk)), word)


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": "cmpl-simulated", "object": kind, "created": 0, "model": model}


def _finish(made: PlannedAnswer) -> str:
    return "stop" if made.whole else "length"


def _usage(made: PlannedAnswer) -> dict[str, int]:
    return {
        "prompt_tokens": made.prompt_tokens,
        "completion_tokens": made.tokens,
        "total_tokens": made.prompt_tokens + made.tokens,
    }


def _read_chat(body: dict[str, Any]) -> Prompt:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest.about("messages", "a list is required")
    texts = [
        read_text(message.get("content")) if isinstance(message, dict) else ""
        for message in messages
    ]
    return Prompt(texts[-1], count_words(*texts), _limit(body))


def _read_completion(body: dict[str, Any]) -> Prompt:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise BadRequest.about("prompt", "one text is required")
    return Prompt(prompt, count_words(prompt), _limit(body))


def _limit(body: dict[str, Any]) -> int | None:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return limit if isinstance(limit, int) else None


def _embeddings(body: dict[str, Any], model: str) -> dict[str, Any]:
    texts = body.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest.about("input", "texts are required")
    vectors = [embed(text, body.get("dimensions")) for text in texts]
    packed = body.get("encoding_format") == "base64"
    total = count_words(*texts)
    return {
        "object": "list",
        "model": model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _pack(one) if packed else one}
            for index, one in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": total, "total_tokens": total},
    }


def _pack(vector: list[float]) -> str:
    """Little-endian float32, as OpenAI's SDK unpacks it."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
