"""Events of streams in the form of engines with OpenAI's chat, in a short notation."""

from __future__ import annotations

from typing import Any

from tests.dialects.reading import event

__all__ = ["DONE", "choice", "counted"]

DONE = b"data: [DONE]\n\n"


def choice(finish: str | None = None, **said: Any) -> bytes:
    return event(
        id="x", model="tiny", choices=[{"index": 0, "delta": said, "finish_reason": finish}]
    )


def counted(**more: Any) -> bytes:
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return event(**{"id": "x", "model": "tiny", "choices": [], "usage": counts, **more})
