"""A response that came as one document, as the events for which the client asked."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.events import without_answer
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps_stream
from casedesk_proxy.wire.sse import named_frame

__all__ = ["unfold_response"]

_ENDS = frozenset({"completed", "incomplete", "failed"})
#: The text of a part: the beginning of its events' names, and its field.
_TEXTS = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "reasoning_text": ("response.reasoning_text", "text"),
    "summary_text": ("response.reasoning_summary_text", "text"),
}
#: Calls: the field of their text, the beginning of its events' names, and the fields that the last
#: event repeats.
_CALLS = {
    "function_call": ("arguments", "response.function_call_arguments", ("name",)),
    "custom_tool_call": ("input", "response.custom_tool_call_input", ()),
}
#: Lists of parts in an item: the word for a part in events' names, and the word for its index.
_PARTS = (
    ("summary", "response.reasoning_summary_part", "summary_index"),
    ("content", "response.content_part", "content_index"),
)


def unfold_response(document: dict[str, Any]) -> bytes:
    """The events of each item with its text in one delta, and the document in the last event.
    Raises StreamBroken if this is not a response, or not a complete one."""
    output, status = document.get("output"), document.get("status")
    if not isinstance(output, list):
        raise without_answer("it is not a response")
    if status not in _ENDS:
        raise StreamBroken("ended before it was complete", its="reply")
    events = _Events()
    begun = document | {"status": "in_progress", "output": [], "usage": None}
    begun |= {"error": None, "incomplete_details": None}
    for name in ("created", "in_progress"):
        events.add(f"response.{name}", response=begun)
    for place, item in enumerate(output):
        if not isinstance(item, dict):
            raise StreamBroken("sent a malformed item")
        _add_item(events, place, item)
    events.add(f"response.{status}", response=document)
    return b"".join(events.frames)


class _Events:
    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def add(self, kind: str, **content: Any) -> None:
        event = {"type": kind, "sequence_number": len(self.frames), **content}
        self.frames.append(named_frame(kind.encode(), dumps_stream(event)))


def _add_item(events: _Events, place: int, item: dict[str, Any]) -> None:
    lists = [name for name, _, _ in _PARTS if isinstance(item.get(name), list)]
    begun = item | {name: [] for name in lists}
    if "status" in item:
        begun["status"] = "in_progress"
    field, stem, repeated = _CALLS.get(str(item.get("type")), ("", "", ()))
    said = item.get(field)
    if isinstance(said, str):
        begun[field] = ""
    events.add("response.output_item.added", output_index=place, item=begun)
    about = {"item_id": item.get("id"), "output_index": place}
    if isinstance(said, str):
        if said:
            events.add(f"{stem}.delta", **about, delta=said)
        more = {name: item.get(name) for name in repeated}
        events.add(f"{stem}.done", **about, **more, **{field: said})
    for name, stem, index in _PARTS:
        for at, part in enumerate(item[name] if name in lists else ()):
            _add_part(events, stem, {**about, index: at}, part)
    events.add("response.output_item.done", output_index=place, item=item)


def _add_part(events: _Events, stem: str, about: dict[str, Any], part: Any) -> None:
    if not isinstance(part, dict):
        raise StreamBroken("sent a malformed part of an item")
    text, field = _TEXTS.get(str(part.get("type")), ("", ""))
    said = part.get(field)
    if not isinstance(said, str):
        events.add(f"{stem}.added", **about, part=part)
        events.add(f"{stem}.done", **about, part=part)
        return
    logprobs = (
        {"logprobs": part.get("logprobs") or []} if field and text.endswith("put_text") else {}
    )
    blank = part | {field: ""} | ({"annotations": []} if "annotations" in part else {})
    events.add(f"{stem}.added", **about, part=blank)
    if said:
        events.add(f"{text}.delta", **about, delta=said, **logprobs)
    annotations = part.get("annotations")
    for at, annotation in enumerate(annotations if isinstance(annotations, list) else ()):
        events.add(
            "response.output_text.annotation.added",
            **about, annotation_index=at, annotation=annotation,
        )  # fmt: skip
    events.add(f"{text}.done", **about, **{field: said}, **logprobs)
    events.add(f"{stem}.done", **about, part=part)
