"""The simulated node in Anthropic's protocol, with the events of the real one."""

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
    read_text,
)
from casedesk_proxy.simulator.script import Script
from casedesk_proxy.surfaces import anthropic
from casedesk_proxy.terms import Action
from casedesk_proxy.wire.sse import named_frame

__all__ = ["answer"]

_BROKEN = StreamBroken("broke, as its script says", its="simulated model")


def answer(action: Action, body: dict[str, Any], model: str, script: Script) -> Whole | Stream:
    """Raises BadRequest."""
    prompt = _read_prompt(body)
    if action is Action.COUNT_MESSAGES:
        return Whole({"input_tokens": prompt.tokens})
    if prompt.limit is None:
        raise BadRequest.about("max_tokens", "is required")
    made = compose(prompt, script)
    if body.get("stream"):
        return Stream("text/event-stream", _frames(made, model), anthropic.error_frame(_BROKEN))
    message = _message(model, made)
    message["content"] = [{"type": "text", "text": "".join(made.pieces)}]
    message["stop_reason"] = _stop_reason(made)
    message["usage"]["output_tokens"] = made.tokens
    return Whole(message, made.tokens)


def _frames(made: PlannedAnswer, model: str) -> Iterator[Frame]:
    block = {"type": "text", "text": ""}
    yield _frame({"type": "message_start", "message": _message(model, made)})
    yield _frame({"type": "content_block_start", "index": 0, "content_block": block})
    yield _frame({"type": "ping"})
    for piece in made.pieces:
        delta = {"type": "text_delta", "text": piece}
        yield _frame({"type": "content_block_delta", "index": 0, "delta": delta}, word=True)
    yield _frame({"type": "content_block_stop", "index": 0})
    yield _frame(
        {
            "type": "message_delta",
            "delta": {"stop_reason": _stop_reason(made), "stop_sequence": None},
            "usage": {"output_tokens": made.tokens},
        }
    )
    yield _frame({"type": "message_stop"})


def _frame(event: dict[str, Any], *, word: bool = False) -> Frame:
    return Frame(named_frame(event["type"].encode(), jsonio.dumps_stream(event)), word)


def _message(model: str, made: PlannedAnswer) -> dict[str, Any]:
    return {
        "id": "msg_simulated",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": made.prompt_tokens, "output_tokens": 0},
    }


def _stop_reason(made: PlannedAnswer) -> str:
    return "end_turn" if made.whole else "max_tokens"


def _read_prompt(body: dict[str, Any]) -> Prompt:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest.about("messages", "a list is required")
    texts = [
        read_text(message.get("content")) if isinstance(message, dict) else ""
        for message in messages
    ]
    limit = body.get("max_tokens")
    tokens = count_words(*texts, read_text(body.get("system")))
    return Prompt(texts[-1], tokens, limit if isinstance(limit, int) else None)
