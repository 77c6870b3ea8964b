"""A reply of generateContent in the place of a stream."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.events import without_answer
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps_stream
from casedesk_proxy.wire.sse import google_frame

__all__ = ["unfold_content"]


def unfold_content(document: dict[str, Any]) -> bytes:
    """One event: those of a stream have the form of the document. Raises StreamBroken if it is
    not an answer, or not a complete one."""
    candidates = document.get("candidates")
    if candidates:
        if not isinstance(candidates, list) or not all(map(_is_complete, candidates)):
            raise StreamBroken("ended before it was complete", its="reply")
    elif not document.get("promptFeedback"):
        raise without_answer("it has no candidates")
    return google_frame(dumps_stream(document))


def _is_complete(candidate: Any) -> bool:
    return isinstance(candidate, dict) and bool(candidate.get("finishReason"))
