"""Chat completions and completions that came as one document, as the streams for which the client
asked."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.events import without_answer
from casedesk_proxy.dialects.openai.chunks import DONE, number_calls
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps_stream
from casedesk_proxy.wire.sse import frame

__all__ = ["unfold_chat", "unfold_completion"]

_LAST = frame(DONE)


def unfold_chat(document: dict[str, Any]) -> bytes:
    """The message of each choice is one delta, with every field that the node sent. The counts are
    in the last chunk, beside its choice, where a client finds them whether it asked for them or
    not. Raises StreamBroken if this is not a chat completion, or not a complete
    one."""
    number_calls(document)
    choices = _choices(document, "message", dict)
    common = {name: value for name, value in document.items() if name not in ("choices", "usage")}
    common["object"] = "chat.completion.chunk"
    chunks: list[dict[str, Any]] = []
    for at, choice in enumerate(choices):
        begun = {name: value for name, value in choice.items() if name != "message"}
        if type(begun.get("index")) is not int:
            begun["index"] = at
        index = begun["index"]
        content = begun | {"delta": choice["message"], "finish_reason": None}
        end = {"index": index, "delta": {}, "finish_reason": choice["finish_reason"]}
        chunks += (common | {"choices": [content]}, common | {"choices": [end]})
    if document.get("usage"):
        chunks[-1] |= {"usage": document["usage"]}
    return b"".join(map(_frame, chunks)) + _LAST


def unfold_completion(document: dict[str, Any]) -> bytes:
    """A completion's chunks have the form of the document. Raises StreamBroken if it is not a
    completion, or not a complete one."""
    _choices(document, "text", str)
    return _frame(document) + _LAST


def _choices(document: dict[str, Any], name: str, kind: type) -> list[dict[str, Any]]:
    choices = document.get("choices")
    if not (isinstance(choices, list) and choices):
        raise without_answer("it has no choices")
    for choice in choices:
        if not isinstance(choice, dict) or not isinstance(choice.get(name), kind):
            raise StreamBroken("sent a malformed choice")
        if not choice.get("finish_reason"):
            raise StreamBroken("ended before it was complete", its="reply")
    return choices


def _frame(chunk: dict[str, Any]) -> bytes:
    return frame(dumps_stream(chunk))
