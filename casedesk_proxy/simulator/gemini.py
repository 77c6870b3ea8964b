"""The simulated node in Google's protocol, framed as Google frames it."""

from __future__ import annotations

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
from casedesk_proxy.surfaces import gemini
from casedesk_proxy.terms import Action
from casedesk_proxy.wire.sse import google_frame

__all__ = ["answer"]

_BROKEN = StreamBroken("broke, as its script says", its="simulated model")


def answer(
    action: Action, body: dict[str, Any], model: str, script: Script, *, sse: bool
) -> Whole | Stream:
    """``sse``: framing of a stream; otherwise a JSON array. Raises BadRequest."""
    if action is Action.EMBED:
        return Whole({"embedding": _embedding(body)})
    if action is Action.BATCH_EMBED:
        requests = _list(body, "requests")
        return Whole({"embeddings": [_embedding(request) for request in requests]})
    if action is Action.COUNT_TOKENS:
        total = _read_prompt(body.get("generateContentRequest") or body).tokens
        details = [{"modality": "TEXT", "tokenCount": total}]
        return Whole({"totalTokens": total, "promptTokensDetails": details})
    made = compose(_read_prompt(body), script)
    if action is Action.GENERATE:
        text = "".join(made.pieces)
        return Whole(_chunk(model, text, made, made.tokens, last=True), made.tokens)
    chunks = _chunks(made, model)
    if sse:
        return Stream("text/event-stream", _events(chunks), gemini.error_frame(_BROKEN))
    broken = b"\r\n,\r\n" + gemini.error_element(_BROKEN)
    return Stream("application/json; charset=UTF-8", _elements(chunks), broken)


def _chunks(made: PlannedAnswer, model: str) -> Iterator[bytes]:
    """One for each word. The last one has text, finishReason and usage together."""
    spoken = 0
    for piece in made.pieces:
        spoken += 1
        last = spoken == made.tokens
        yield jsonio.dumps_stream(_chunk(model, piece, made, spoken, last=last))
    if not spoken:
        yield jsonio.dumps_stream(_chunk(model, "", made, 0, last=True))


def _events(chunks: Iterator[bytes]) -> Iterator[Frame]:
    for chunk in chunks:
        yield Frame(google_frame(chunk), word=True)


def _elements(chunks: Iterator[bytes]) -> Iterator[Frame]:
    before = b"["
    for chunk in chunks:
        yield Frame(before + chunk, word=True)
        before = b"\r\n,\r\n"
    yield Frame(b"\r\n]")


def _chunk(
    model: str, text: str, made: PlannedAnswer, spoken: int, *, last: bool
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
    if last:
        candidate["finishReason"] = "STOP" if made.whole else "MAX_TOKENS"
    candidate["index"] = 0
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": made.prompt_tokens,
            "candidatesTokenCount": spoken,
            "totalTokenCount": made.prompt_tokens + spoken,
        },
        "modelVersion": model,
        "responseId": "simulated",
    }


def _read_prompt(body: dict[str, Any]) -> Prompt:
    contents = body.get("contents")
    if isinstance(contents, dict):
        contents = [contents]
    if not isinstance(contents, list) or not contents:
        raise BadRequest.about("contents", "is required")
    texts = [_text(content) for content in contents]
    system = body.get("systemInstruction") or body.get("system_instruction")
    config = body.get("generationConfig") or {}
    limit = config.get("maxOutputTokens") if isinstance(config, dict) else None
    tokens = count_words(*texts, _text(system) if system else "")
    return Prompt(texts[-1], tokens, limit if isinstance(limit, int) else None)


def _embedding(request: Any) -> dict[str, Any]:
    if not isinstance(request, dict) or not isinstance(request.get("content"), dict):
        raise BadRequest.about("content", "is required")
    size = request.get("outputDimensionality") or request.get("output_dimensionality")
    return {"values": embed(_text(request["content"]), size)}


def _text(content: Any) -> str:
    parts = content.get("parts") if isinstance(content, dict) else None
    return read_text([parts] if isinstance(parts, dict) else parts)


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if not isinstance(value, list) or not value:
        raise BadRequest.about(name, "a list is required")
    return value
