"""A Responses reply of a node that got flat function names: the client's own names are restored,
and every other byte is the node's.

Only calls and the list of tools contain function names, and few events have one. A search of their
bytes finds those events: a quote inside a text is escaped, so the search finds no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from casedesk_proxy import jsonio
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, read_reply
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.dialects.responses.names import FlatNames
from casedesk_proxy.dialects.responses.unfolding import unfold_response
from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.replying.completeness import is_unfinished
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.surfaces.json_spans import Span, elements, members, splice
from casedesk_proxy.terms import Dialect, Position, RawHeaders, Usage
from casedesk_proxy.usage.extract import find_usage
from casedesk_proxy.usage.tap import MAX_PIECE_BYTES
from casedesk_proxy.wire.sse import COMMENT, EVENT_ENDS, MAX_EVENT_BYTES, named_frame
from casedesk_proxy.wire.tails import event_around

__all__ = ["NameRestorer", "Namespaced", "NamespacedBody", "NamespacedStream"]

_END_TYPES = rb"response\.(?:completed|incomplete|failed)"
#: Bytes of an event that names a function, or ends the stream.
_NOTABLE = re.compile(
    rb'"(?:function_call|tools|response\.function_call_arguments\.done|' + _END_TYPES + rb')"'
)
_ENDS = re.compile(rb'"' + _END_TYPES + rb'"')
_EVENT = re.compile(rb".*?(?:\r\n\r\n|\n\n|\r\r|\Z)", re.DOTALL)
_DATA = re.compile(rb"(?:\A|[\r\n])data: ?([^\r\n]*)")
_NAME = re.compile(rb"(?:\A|[\r\n])event: ?([^\r\n]*)")
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})\b')
_Change = tuple[Span, bytes]


class NameRestorer:
    """``names`` maps the node's names back; ``tools`` is the client's own list, as JSON on one
    line; empty if it sent none."""

    def __init__(self, names: FlatNames, tools: bytes) -> None:
        self._names = names
        self._tools = tools

    @property
    def size(self) -> int:
        """The approximate size of its data in bytes."""
        return len(self._tools) + sum(2 * len(flat) for flat in self._names.origins)

    def restore_body(self, document: bytes) -> bytes:
        """A whole response. Raises StreamBroken if it is not an object."""
        _check(document)
        return splice(document, sorted(self._response(document, 0)))

    def restore_event(self, document: bytes) -> bytes:
        """The data of one event. Raises StreamBroken if it is not an object."""
        _check(document)
        return splice(document, sorted(self._event(document)))

    def _event(self, document: bytes) -> Iterator[_Change]:
        for key, start, end in members(document):
            if key == b'"item"':
                yield from self._item(document, start)
            elif key == b'"response"' and document[start : start + 1] == b"{":
                yield from self._response(document, start)
            elif key == b'"name"':
                yield from self._named(document, (start, end))

    def _response(self, document: bytes, at: int) -> Iterator[_Change]:
        for key, start, end in members(document, at):
            is_list = document[start : start + 1] == b"["
            if key == b'"output"' and is_list:
                for item, _ in elements(document, start):
                    yield from self._item(document, item)
            elif key == b'"tools"' and is_list and self._tools:
                yield (start, end), self._tools

    def _item(self, document: bytes, at: int) -> Iterator[_Change]:
        if document[at : at + 1] != b"{":
            return
        found = {key: (start, end) for key, start, end in members(document, at)}
        kind, name = found.get(b'"type"'), found.get(b'"name"')
        if kind is None or name is None or document[slice(*kind)] != b'"function_call"':
            return
        namespace = self._namespace(document, name)
        if not namespace:
            return
        for place, new in self._named(document, name):
            more = b"" if b'"namespace"' in found else b',"namespace":' + namespace
            yield place, new + more
        if b'"namespace"' in found:
            yield found[b'"namespace"'], namespace

    def _namespace(self, document: bytes, place: Span) -> bytes:
        origin = self._names.origins.get(_text(document, place))
        return jsonio.dumps(origin.namespace) if origin is not None and origin.namespace else b""

    def _named(self, document: bytes, place: Span) -> Iterator[_Change]:
        origin = self._names.origins.get(_text(document, place))
        if origin is not None:
            yield place, jsonio.dumps_stream(origin.name)


class Namespaced:
    """The common part for both forms of a reply: see ``dialects.core.contract.Translator``."""

    def __init__(self, asked: str, restorer: NameRestorer) -> None:
        self.complete = False
        self.restorer = restorer
        self._asked = asked

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        return map_node_error(Dialect.RESPONSES, status, headers, body, self._asked)


class NamespacedBody(Namespaced):
    """One JSON body."""

    content_type = "application/json"

    def __init__(self, asked: str, restorer: NameRestorer) -> None:
        super().__init__(asked, restorer)
        self._body = bytearray()

    @property
    def usage(self) -> Usage:
        return find_usage(Dialect.RESPONSES, b"", bytes(self._body[-MAX_PIECE_BYTES:]))

    def feed(self, data: bytes) -> bytes:
        self._body += data
        if len(self._body) > MAX_HELD_BYTES:
            raise StreamBroken("is too large", its="reply")
        return b""

    def finish(self) -> bytes:
        body = bytes(self._body)
        if (error := read_within(body)) is not None:
            raise error
        restored = self.restorer.restore_body(body)
        self.complete = True
        return restored

    def halt(self) -> tuple[bytes, Position]:
        return b"", Position.INSIDE

    def keepalive(self) -> bytes:
        return b""


class NamespacedStream(Namespaced):
    """Events, each passed on once it is whole."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, asked: str, restorer: NameRestorer) -> None:
        super().__init__(asked, restorer)
        self._held = b""
        self._first = b""
        #: The last pieces that the node sent, which contain its counts.
        self._latest = self._last_but_one = b""

    @property
    def usage(self) -> Usage:
        return find_usage(Dialect.RESPONSES, b"", self._tail())

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data, self._held = self._held + data, b""
        if not data.endswith(b"\n\n"):
            data = self._hold_rest(data)
            if not data:
                return b""
        if not self._first:
            self._begin(data)
        self._last_but_one, self._latest = self._latest, data
        if _NOTABLE.search(data) is None:
            return data
        restored = b"".join(map(self._restore, _EVENT.findall(data)))
        self.complete = self.complete or _ENDS.search(data) is not None
        return restored

    def finish(self) -> bytes:
        if not self._first and self._held.lstrip().startswith(b"{"):
            events = self._unfold(self._held)
            self._held = b""
            return events
        if is_unfinished(Dialect.RESPONSES, self._first, self._tail() + self._held):
            raise StreamBroken("ended before the answer was complete", its="reply")
        rest, self._held = self._held, b""
        self.complete = True
        return self._restore(rest)

    def halt(self) -> tuple[bytes, Position]:
        """The response is repeated, so that the error after it can refer to it. The part of an
        unfinished event is not sent."""
        begun = event_around(self._first, 0)
        response = begun.get("response") if isinstance(begun, dict) else None
        if not isinstance(response, dict):
            return b"", Position.BETWEEN
        numbers = _NUMBER.findall(self._tail())
        number = int(numbers[-1]) + 1 if numbers else 0
        name = "response.in_progress"
        event = {"type": name, "sequence_number": number, "response": response}
        shown = named_frame(name.encode(), jsonio.dumps_stream(event))
        return self._restore(shown), Position.BETWEEN

    def keepalive(self) -> bytes:
        return b"" if self.complete else COMMENT

    def _begin(self, data: bytes) -> None:
        if (error := read_within(data)) is not None:
            raise error
        self._first = data[:MAX_PIECE_BYTES]

    def _unfold(self, body: bytes) -> bytes:
        """The events of a response that came as one document."""
        events = unfold_response(read_reply(body))
        self._latest, self.complete = events, True
        return b"".join(map(self._restore, _EVENT.findall(events)))

    def _tail(self) -> bytes:
        return (self._last_but_one + self._latest)[-MAX_PIECE_BYTES:]

    def _hold_rest(self, data: bytes) -> bytes:
        """The whole events; the bytes after them wait for their end."""
        end = max(at + len(one) if (at := data.rfind(one)) >= 0 else 0 for one in EVENT_ENDS)
        self._held = data[end:]
        if len(self._held) > MAX_EVENT_BYTES:
            raise StreamBroken("sent an event that is too large")
        return data[:end]

    def _restore(self, event: bytes) -> bytes:
        if _NOTABLE.search(event) is None:
            return event
        lines = list(_DATA.finditer(event))
        if len(lines) == 1:
            restored = self.restorer.restore_event(lines[0][1])
            return event[: lines[0].start(1)] + restored + event[lines[0].end(1) :]
        named, data = _NAME.search(event), b" ".join(line[1] for line in lines)
        restored = self.restorer.restore_event(data)
        return named_frame(named[1] if named is not None else b"message", restored)


def _check(document: bytes) -> None:
    try:
        value = jsonio.loads(document)
    except jsonio.JSONError:
        raise StreamBroken("sent an event that is not JSON") from None
    if not isinstance(value, dict):
        raise StreamBroken("sent an event that is not an object")


def _text(document: bytes, place: Span) -> str:
    value = jsonio.loads(document[slice(*place)])
    return value if isinstance(value, str) else ""
