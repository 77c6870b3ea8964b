"""Responses' two forms of a reply: events as they are generated, or one object at the end.

Both build the same object. OpenAI's types require a ``sequence_number`` in every event and, in
events about an item, its ``item_id``, ``output_index`` and ``content_index``; its SDKs fail if one
is missing. Items never overlap, and each is done before the next begins. There is no ``[DONE]``:
the last event is ``response.completed``, or ``response.incomplete`` if the limit of tokens or a
filter cut the answer, or ``response.failed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.block_sequencer import TEXT, THINKING, TOOL_USE
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.dialects.core.freeform import read_freeform
from casedesk_proxy.dialects.core.pending import PendingBytes
from casedesk_proxy.dialects.responses.names import FlatNames, QualifiedName
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps_stream, loads
from casedesk_proxy.terms import Position, Usage
from casedesk_proxy.wire.sse import COMMENT, named_frame

__all__ = ["REFUSAL", "ResponseEventForm", "ResponseForm", "ResponseObjectForm", "usage_counts"]

#: A kind of block that only this API has.
REFUSAL = "refusal"

_PART_TYPES = {"message": "output_text", "reasoning": "reasoning_text"}
_STEMS = {"message": "response.output_text", "reasoning": "response.reasoning_text"}
_ARGUMENTS = "response.function_call_arguments"
_INPUT = "response.custom_tool_call_input"


class ResponseForm:
    """Takes a reply item by item, never two at once; a refusal is a message of its own.

    ``take`` returns the bytes that are due to the client so far, ``close`` the rest. ``add`` takes
    text, thoughts or, inside a call, pieces of its arguments; ``more`` takes text as a JSON string
    that is valid on a stream's line, and returns the bytes that are due. ``say_logprobs``: the log
    probabilities of the next text. ``token`` is used for the ids of items; ``repeated`` is what the
    object repeats of its request, ``names`` maps the node's function names to the client's.
    ``cut``: the node's limit ended the answer, so the open item is not whole.

    A freeform call's input is sent at its end. It is a text inside the arguments, but only while
    they are as declared: others are the input as they are, and an event cannot be taken back.
    Meanwhile the client of a stream gets keepalives.
    """

    content_type = "application/json"

    def __init__(self, token: str, repeated: Mapping[str, Any], names: FlatNames) -> None:
        self.cut = False
        self._token = token
        self._names = names
        self._repeated = repeated
        self._response: dict[str, Any] = {}
        self._output: list[dict[str, Any]] = []
        self._item: dict[str, Any] = {}
        self._pieces: list[str] = []
        self._held = 0
        self._refuses = False
        self._logprobs: list[dict[str, Any]] = []
        self._all_logprobs: list[dict[str, Any]] = []

    def begin(self, ident: str, model: str, created: int) -> None:
        self._response = {
            "id": ident,
            "object": "response",
            "created_at": created,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            **self._repeated,
            "model": model,
            "output": [],
            "previous_response_id": None,
            "store": False,
            "usage": None,
        }
        for name in ("created", "in_progress"):
            self._event(f"response.{name}", {"response": self._response})

    def start(self, kind: str, ident: str = "", name: str = "") -> None:
        self._refuses = kind is REFUSAL
        if kind is TOOL_USE:
            self._start_call(ident, self._names.origin(name))
            return
        if kind is THINKING:
            thoughts: dict[str, Any] = {"summary": [], "content": [], "encrypted_content": None}
            self._open("reasoning", "rs", thoughts)
        else:
            self._open("message", "msg", {"role": "assistant", "content": []})
        self._about_part("response.content_part.added", {"part": self._part("")})

    def _start_call(self, call_id: str, called: QualifiedName) -> None:
        freeform = called in self._names.freeform
        made = {"call_id": call_id, "name": called.name, "input" if freeform else "arguments": ""}
        if called.namespace:
            made["namespace"] = called.namespace
        if freeform:
            self._open("custom_tool_call", "ctc", made)
        else:
            self._open("function_call", "fc", made)

    def add(self, text: str) -> None:
        if not text:
            return
        self._hold(text)
        if self._item["type"] == "function_call":
            self._about_item(f"{_ARGUMENTS}.delta", {"delta": text})
            return
        if self._item["type"] == "custom_tool_call":
            return
        self._about_part(f"{self._stem()}.delta", {"delta": text, **self._take_logprobs()})

    def more(self, text: bytes) -> bytes:
        self.add(loads(text))
        return self.take()

    def say_logprobs(self, logprobs: list[dict[str, Any]]) -> None:
        self._logprobs += logprobs

    def stop(self, *, keep: bool = True) -> None:
        text, item = "".join(self._pieces), self._item
        if item["type"] == "function_call":
            item["arguments"] = text
            self._about_item(f"{_ARGUMENTS}.done", {"arguments": text})
        elif item["type"] == "custom_tool_call":
            item["input"] = given = read_freeform(text)
            if given:
                self._about_item(f"{_INPUT}.delta", {"delta": given})
            self._about_item(f"{_INPUT}.done", {"input": given})
        else:
            part = self._part(text)
            item["content"] = [part]
            name = "refusal" if self._refuses else "text"
            more = {"logprobs": self._all_logprobs} if "logprobs" in part else {}
            self._about_part(f"{self._stem()}.done", {name: text, **more})
            self._about_part("response.content_part.done", {"part": part})
        item["status"] = "completed" if keep and not self.cut else "incomplete"
        place = len(self._output)
        self._output.append(item)
        self._event("response.output_item.done", {"output_index": place, "item": item})
        self._item, self._pieces, self._all_logprobs, self._logprobs = {}, [], [], []

    def end(self, reason: str, usage: Usage) -> None:
        """``reason``: why the answer is incomplete, "" if it is complete."""
        status = "incomplete" if reason else "completed"
        self._response |= {"status": status, "output": self._output, "usage": usage_counts(usage)}
        if reason:
            self._response["incomplete_details"] = {"reason": reason}
        self._event(f"response.{status}", {"response": self._response})

    def take(self) -> bytes:
        return b""

    def close(self) -> bytes:
        return dumps_stream(self._response)

    def ping(self) -> bytes:
        """None: a blank would already send the status, so that a failure could no longer be
        reported."""
        return b""

    def halt(self) -> tuple[bytes, Position]:
        return b"", Position.INSIDE

    def _event(self, name: str, content: dict[str, Any]) -> None:
        """An event for the client of a stream."""

    def _about_item(self, name: str, content: dict[str, Any]) -> None:
        place = {"item_id": self._item["id"], "output_index": len(self._output)}
        self._event(name, place | content)

    def _about_part(self, name: str, content: dict[str, Any]) -> None:
        self._about_item(name, {"content_index": 0} | content)

    def _open(self, kind: str, prefix: str, made: dict[str, Any]) -> None:
        place = len(self._output)
        ident = f"{prefix}_{self._token}{place:x}"
        self._item = {"id": ident, "type": kind, "status": "in_progress"} | made
        self._event("response.output_item.added", {"output_index": place, "item": self._item})

    def _hold(self, text: str) -> None:
        """Hold the text for the final object, which repeats all of it."""
        self._pieces.append(text)
        self._held += len(text)
        if self._held > MAX_HELD_BYTES:
            raise StreamBroken("sent a reply that is too large")

    def _stem(self) -> str:
        return "response.refusal" if self._refuses else _STEMS[self._item["type"]]

    def _part(self, text: str) -> dict[str, Any]:
        if self._refuses:
            return {"type": "refusal", "refusal": text}
        part: dict[str, Any] = {"type": _PART_TYPES[self._item["type"]], "text": text}
        if self._item["type"] == "message":
            part |= {"annotations": [], "logprobs": self._all_logprobs}
        return part

    def _take_logprobs(self) -> dict[str, Any]:
        if self._refuses or self._item["type"] != "message":
            return {}
        logprobs, self._logprobs = self._logprobs, []
        self._all_logprobs += logprobs
        return {"logprobs": logprobs}


class ResponseObjectForm(ResponseForm):
    """One JSON body, sent at the end: nothing is sent of a reply that breaks."""


class ResponseEventForm(PendingBytes, ResponseForm):
    """Server-sent events, each with its name."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, token: str, repeated: Mapping[str, Any], names: FlatNames) -> None:
        PendingBytes.__init__(self)
        ResponseForm.__init__(self, token, repeated, names)
        self._number = 0
        self._text_head = self._text_place = self._text_end = b""

    def start(self, kind: str, ident: str = "", name: str = "") -> None:
        super().start(kind, ident, name)
        if kind is TOOL_USE:
            return
        event = f"{self._stem()}.delta".encode()
        self._text_head = b'event: %b\ndata: {"type":"%b","sequence_number":' % (event, event)
        place = (self._item["id"].encode(), len(self._output))
        self._text_place = b',"item_id":"%b","output_index":%d,"content_index":0,"delta":' % place
        self._text_end = b',"logprobs":[]}\n\n' if kind is TEXT else b"}\n\n"

    def more(self, text: bytes) -> bytes:
        """Prepared as bytes, since one is sent for every token."""
        self._hold(loads(text))
        number = b"%d" % self._number
        self._out += (self._text_head, number, self._text_place, text, self._text_end)
        self._number += 1
        return self.take()

    def close(self) -> bytes:
        return self.take()

    def ping(self) -> bytes:
        return self.take() + COMMENT

    def halt(self) -> tuple[bytes, Position]:
        """The response is repeated, so that the error after it can refer to it."""
        self._event("response.in_progress", {"response": self._response})
        return self.take(), Position.BETWEEN

    def _event(self, name: str, content: dict[str, Any]) -> None:
        event = {"type": name, "sequence_number": self._number} | content
        self._number += 1
        self._out.append(named_frame(name.encode(), dumps_stream(event)))


def usage_counts(usage: Usage) -> dict[str, Any] | None:
    """OpenAI's object; None if the node reported no counts. All of its fields are required."""
    if usage.prompt is None and usage.output is None:
        return None
    prompt, output = usage.prompt or 0, usage.output or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": usage.cached or 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.thoughts or 0},
        "total_tokens": prompt + output,
    }
