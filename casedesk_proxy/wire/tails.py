"""Members of the JSON documents at a body's end, read from its last bytes only.

A body is one document, an array of documents, or a stream of events with one document each. Of a
long body only the end is available, which may begin anywhere. Only members of the documents
themselves are read: the same name further down, in the arguments of a call or inside a text, was
written by the model. The brackets after a name show how deep it is nested.
"""

from __future__ import annotations

import json
import re
from typing import Any

from casedesk_proxy.jsonio import JSONError, loads
from casedesk_proxy.wire.sse import EVENT_ENDS

__all__ = ["data_of", "event_around", "last_line", "outermost_values", "read_object"]

_DATA = re.compile(rb"^data: ?", re.MULTILINE)
_OTHER_LINES = re.compile(rb"^(?:event|id|retry)?:[^\r\n]*+[\r\n]*+", re.MULTILINE)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
#: An object of counts: none of its objects contains another object.
_FLAT = re.compile(rb"\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}")
_COLON = re.compile(rb"\s{0,20}:\s{0,20}")
_DECODER = json.JSONDecoder()


def outermost_values(tail: bytes, name: bytes, most: int, inside: str = "") -> list[Any]:
    """Values of a member of the last documents, in their order; at most ``most`` occurrences of its
    name are examined. ``name`` is in quotes, as on the wire. ``inside``: the member belongs not to
    the documents, but to their member of that name."""
    values: list[Any] = []
    place, stop, levels = len(tail), -1, 0
    known = place
    for _ in range(most):
        place = tail.rfind(name, 0, place)
        if place < 0:
            break
        if tail[place - 1 : place] == b"\\":  # The end of a text: no level can be counted from it.
            continue
        if (end := _end_of_event(tail, place)) != stop:
            known = stop = end
            levels = 0
        levels += _levels(tail, place, known)
        known = place
        colon = _COLON.match(tail, place + len(name), stop)
        if colon is None:  # A text.
            continue
        if stop == len(tail) and b"data:" in tail:
            # The event may be incomplete, so its end does not show its levels.
            document = event_around(tail, place)
            if not isinstance(document, dict):
                continue
            holder = document.get(inside) if inside else document
            value = holder.get(name[1:-1].decode()) if isinstance(holder, dict) else None
        elif levels == (2 if inside or tail.endswith(b"]", 0, stop) else 1):
            value = _value(tail[colon.end() : stop])
        else:
            continue
        values.append(value)
    values.reverse()
    return values


def event_around(body: bytes, place: int) -> Any:
    """The document of the event that contains this byte; None if it is not whole, or not JSON."""
    begins = [at + len(one) for one in EVENT_ENDS if (at := body.rfind(one, 0, place)) >= 0]
    event = body[max(begins, default=0) : _end_of_event(body, place)]
    try:
        return loads(data_of(event))
    except JSONError:
        return None


def data_of(event: bytes) -> bytes:
    """The data of an event, from all its lines; b"" if it has none."""
    return _DATA.sub(b"", _OTHER_LINES.sub(b"", event))


def last_line(body: bytes) -> bytes:
    """The last line of a body that has one document in each line; trailing blanks are ignored."""
    return body.rstrip().rpartition(b"\n")[2]


def read_object(line: bytes) -> dict[str, Any] | None:
    """None if the text is not a whole JSON object."""
    try:
        document = loads(line)
    except JSONError:
        return None
    return document if isinstance(document, dict) else None


def _end_of_event(body: bytes, place: int) -> int:
    ends = [at for one in EVENT_ENDS if (at := body.find(one, place)) >= 0]
    return min(ends) if ends else len(body)


def _levels(text: bytes, start: int, stop: int) -> int:
    """How many more objects and lists are closed than opened between two positions outside of any
    string."""
    bare = _STRING.sub(b"", text[start:stop])
    return bare.count(b"}") + bare.count(b"]") - bare.count(b"{") - bare.count(b"[")


def _value(text: bytes) -> Any:
    """The value at the beginning of a text, which may be several lines of an event; None if it is
    not JSON."""
    if b"\ndata:" in text:
        text = _DATA.sub(b"", text)
    flat = _FLAT.match(text)
    try:
        if flat is not None:
            return loads(flat[0])
    except JSONError:
        pass  # A brace inside a text, or a number that strict JSON does not have.
    try:
        value, _ = _DECODER.raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value
