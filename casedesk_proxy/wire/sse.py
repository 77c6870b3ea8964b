"""Server-sent events (WHATWG HTML, section 9.2): an incremental decoder, and functions that frame
events.

The decoder accepts any line end, byte order mark, comments and data over several lines, split
anywhere, and holds at most MAX_EVENT_BYTES. It drops ``id`` and ``retry``, which mean nothing on
these streams, and events whose data is empty or blank: the standard would deliver such events, but
no protocol here uses them, and proxies send them to keep a connection open.
"""

from __future__ import annotations

__all__ = [
    "COMMENT",
    "EVENT_ENDS",
    "MAX_EVENT_BYTES",
    "Event",
    "EventDecoder",
    "EventTooLarge",
    "frame",
    "google_frame",
    "named_frame",
]

#: (event name or b"", data). A tuple, not a class: one is made for every token.
Event = tuple[bytes, bytes]

#: An event that every parser ignores, the same as llama-server's keepalive.
COMMENT = b":\n\n"
#: A blank line, as different nodes end an event.
EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
#: One event may hold a whole tool call or embedding, or an image; only a broken node sends more.
MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """An event grew beyond the limit before it ended."""


def frame(data: bytes) -> bytes:
    """One event. ``data`` is one line, here and below: @google/generative-ai (0.24.1) reads no more
    of an event, and needs the blank, as google-genai (3.6.1) does."""
    return b"data: " + data + b"\n\n"


def google_frame(data: bytes) -> bytes:
    """One event with the line ends that Google writes."""
    return b"data: " + data + b"\r\n\r\n"


def named_frame(name: bytes, data: bytes) -> bytes:
    """One event as Anthropic writes it: its clients ignore events without a name."""
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


class EventDecoder:
    """Takes bytes, returns events. ``at_boundary``: no part of an unfinished event is held.

    Raises EventTooLarge and nothing else; the decoder must not be used after that.
    """

    __slots__ = (
        "_after_cr",
        "_buffer",
        "_data",
        "_has_data",
        "_limit",
        "_name",
        "_scanned",
        "_started",
        "at_boundary",
    )

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()  # bytes of lines that have not ended
        self._scanned = 0  # how many bytes of the buffer hold no line end
        self._name = b""
        self._data = bytearray()
        self._has_data = False
        self._after_cr = False
        self._started = False
        self._limit = limit
        self.at_boundary = True

    def feed(self, data: bytes) -> list[Event]:
        """The events that ``data`` completes, in order."""
        if (
            # Nearly every read is exactly one event of one line; all others take the slow path.
            self.at_boundary
            and data.startswith(b"data: ")
            and data.endswith(b"\n\n")
            and data.find(b"\n") == len(data) - 2
            and b"\r" not in data
            and 8 < len(data) < self._limit
            and data[6] > 0x20
        ):
            self._started, self._after_cr = True, False
            return [(b"", data[6:-2])]
        return self._feed_named(data) or self._feed(data)

    def finish(self) -> list[Event]:
        """The last event, if only its blank line or the end of its last line is missing: several
        nodes and proxies end so. The event's reader judges whether it is whole."""
        events: list[Event] = []
        if self._buffer:
            self._take_line(bytes(self._buffer), events)
            self._buffer.clear()
        self._take_line(b"", events)
        self.at_boundary = True
        return events

    def _feed_named(self, data: bytes) -> list[Event] | None:
        """The same for an event with a name on a line before its data; None if it has no name."""
        if not (self.at_boundary and data.startswith(b"event: ") and data.endswith(b"\n\n")):
            return None
        end = data.find(b"\n")
        start = end + 7
        if (
            data.startswith(b"data: ", end + 1)
            and data.find(b"\n", start) == len(data) - 2
            and b"\r" not in data
            and len(data) < self._limit
            and data[start] > 0x20
        ):
            self._started, self._after_cr = True, False
            return [(data[7:end], data[start:-2])]
        return None

    def _feed(self, data: bytes) -> list[Event]:
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        events: list[Event] = []
        buffer = self._buffer
        buffer += data
        start, scan = 0, self._scanned
        while (end := _line_end(buffer, scan)) >= 0:
            line = bytes(buffer[start:end])
            if buffer[end] == 0x0D:
                if end + 1 == len(buffer):
                    self._after_cr = True
                elif buffer[end + 1] == 0x0A:
                    end += 1
            start = scan = end + 1
            self._take_line(line, events)
        del buffer[:start]
        self._scanned = len(buffer)
        self._check(len(buffer))
        self.at_boundary = not (buffer or self._has_data or self._name)
        return events

    def _take_line(self, line: bytes, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            if self._has_data:
                self._data += b"\n"
            self._data += value
            self._has_data = True
            self._check(0)
        elif field == b"event":
            self._name = value

    def _check(self, more: int) -> None:
        if more + len(self._data) > self._limit:
            raise EventTooLarge(f"an event exceeds {self._limit} bytes")

    def _dispatch(self, events: list[Event]) -> None:
        if self._has_data:
            data = bytes(self._data)
            if data and not data.isspace():
                events.append((self._name, data))
            self._data.clear()
            self._has_data = False
        self._name = b""


def _line_end(buffer: bytearray, start: int) -> int:
    """The position of the next CR or LF, or -1."""
    newline = buffer.find(b"\n", start)
    carriage = buffer.find(b"\r", start, newline if newline >= 0 else len(buffer))
    return carriage if carriage >= 0 else newline
