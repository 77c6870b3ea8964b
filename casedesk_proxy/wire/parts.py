"""Bodies of several parts (multipart, RFC 2046), read while they pass: the head of each part, then
its content in pieces, so that no part has to be held.

Only the proxy reads these bodies, so names are accepted in every form that clients write. For
bodies that are passed on see `multipart`, which is strict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from casedesk_proxy.terms import RawHeaders, record
from casedesk_proxy.wire.multipart import MalformedForm, find_head_end

__all__ = ["PartEnd", "PartHead", "PartReader", "find_part_boundary"]

_MULTIPART = re.compile(rb"\s*multipart/(form-data|related|mixed)\s*(?:;|$)", re.IGNORECASE)
_BOUNDARY = re.compile(
    rb";\s*boundary=(?:\"([^\"\r\n]{1,200})\"|([^\s\";,]{1,200}))\s*(?=;|$)", re.IGNORECASE
)
_PARAMETER = re.compile(
    rb';\s*(name|filename)(\*?)=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))', re.IGNORECASE | re.DOTALL
)
_EXTENDED = re.compile(rb"utf-8'[^']*'(.*)", re.IGNORECASE | re.DOTALL)
_ESCAPED = re.compile(rb'\\(["\\])')


@record
class PartHead:
    """A part begins. ``headers`` by lower-case name; ``name`` and ``filename`` are those of its
    disposition, "" if it has none."""

    headers: Mapping[bytes, bytes] = field(repr=False)
    name: str
    filename: str


class PartEnd:
    """A part has ended."""


_PART_END = PartEnd()
#: What a reader returns for a part: its head, pieces of its content, its end.
PartEvent: TypeAlias = PartHead | bytes | PartEnd


def find_part_boundary(headers: RawHeaders) -> tuple[str, bytes] | None:
    """The kind of multipart, and what separates the parts; None if the body is not multipart.
    Raises MalformedForm."""
    types = [value for name, value in headers if name.lower() == b"content-type"]
    kind = _MULTIPART.match(types[0]) if types else None
    if kind is None:
        return None
    found = _BOUNDARY.search(types[0])
    if found is None or len(types) > 1:
        raise MalformedForm("the content-type has no valid boundary")
    return kind[1].decode().lower(), found[1] or found[2]


class _At(Enum):
    FIRST = "first"
    DELIMITED = "delimited"
    HEAD = "head"
    CONTENT = "content"
    END = "end"


class PartReader:
    """Follows one body through arbitrary reads. ``ended``: its last part has arrived. ``read``
    raises MalformedForm; the reader must not be used after that."""

    __slots__ = ("_at", "_delimiter", "_parts", "_rest")

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._at = _At.FIRST
        #: The body may begin with its first delimiter, so a line end is assumed before it.
        self._rest = b"\r\n"
        self._parts = 0

    @property
    def ended(self) -> bool:
        return self._at is _At.END

    def read(self, data: bytes) -> list[PartEvent]:
        """The events of ``data``. Bytes after the last part are ignored."""
        events: list[PartEvent] = []
        if self._at is _At.END:
            return events
        data = self._rest + data
        at, waits = 0, False
        while not waits:
            at, waits = self._step(data, at, events)
        self._rest = data[at:]
        return events

    def _step(self, data: bytes, at: int, events: list[PartEvent]) -> tuple[int, bool]:
        """Read one thing from ``at`` on: return where the next one begins, and whether more bytes
        must arrive first."""
        match self._at:
            case _At.CONTENT:
                return self._take_content(data, at, events)
            case _At.DELIMITED:
                return self._take_delimiter_end(data, at)
            case _At.HEAD:
                return self._take_head(data, at, events)
            case _At.FIRST:
                return self._take_first(data, at)
            case _:
                return len(data), True

    def _take_first(self, data: bytes, at: int) -> tuple[int, bool]:
        if data.startswith(b"\r\n\r\n", at):
            at += 2
        if len(data) - at < len(self._delimiter) and self._delimiter.startswith(data[at:]):
            return at, True
        if not data.startswith(self._delimiter, at):
            raise MalformedForm("it does not begin with its boundary")
        self._at = _At.DELIMITED
        return at + len(self._delimiter), False

    def _take_delimiter_end(self, data: bytes, at: int) -> tuple[int, bool]:
        end = data[at : at + 2]
        if len(end) < 2:
            return at, True
        if end == b"--":
            self._at = _At.END
            return at + 2, False
        if end != b"\r\n":
            raise MalformedForm("a boundary is not followed by the end of its line")
        # A part may have no headers: this line end is then the first half of the empty line.
        self._at = _At.HEAD
        return at, False

    def _take_head(self, data: bytes, at: int, events: list[PartEvent]) -> tuple[int, bool]:
        end = find_head_end(data, at, self._parts)
        if end < 0:
            return at, True
        self._parts += 1
        events.append(_read_head(data[at + 2 : end]))
        self._at = _At.CONTENT
        return end + 4, False

    def _take_content(self, data: bytes, at: int, events: list[PartEvent]) -> tuple[int, bool]:
        end = data.find(self._delimiter, at)
        if end < 0:
            known = max(at, len(data) - len(self._delimiter) + 1)
            if known > at:
                events.append(data[at:known])
            return known, True
        if end > at:
            events.append(data[at:end])
        events.append(_PART_END)
        self._at = _At.DELIMITED
        return end + len(self._delimiter), False


def _read_head(head: bytes) -> PartHead:
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n") if head else ():
        name, colon, value = line.partition(b":")
        if not colon:
            raise MalformedForm("a part's headers cannot be read")
        headers[name.strip().lower()] = value.strip()
    coding = headers.get(b"content-transfer-encoding", b"binary").lower()
    if coding not in (b"binary", b"8bit", b"7bit"):
        raise MalformedForm("a part has a content-transfer-encoding; send its bytes as they are")
    texts = {b"name": "", b"filename": ""}
    for name, extended, quoted, plain in _PARAMETER.findall(
        headers.get(b"content-disposition", b"")
    ):
        text = _read_text(quoted or plain, is_extended=bool(extended))
        if text is not None and (extended or not texts[name.lower()]):
            texts[name.lower()] = text
    return PartHead(headers, texts[b"name"], texts[b"filename"])


def _read_text(value: bytes, *, is_extended: bool) -> str | None:
    """A parameter's text, in the form of browsers or of RFC 5987; None if its charset is not
    supported."""
    if not is_extended:
        plain = _ESCAPED.sub(rb"\1", value)
        return plain.decode("utf-8", "replace").replace("%22", '"')
    found = _EXTENDED.fullmatch(value)
    return None if found is None else unquote_to_bytes(found[1]).decode("utf-8", "replace")
