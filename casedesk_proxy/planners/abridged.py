"""Abridges a large body: the long texts in it are replaced by *marks*, and inserted again into what
was made of the short body.

Most of a large body are texts and images that planning passes on unchanged. So a few hundred
kilobytes are parsed and translated where the body has megabytes, and at any time only a piece of
the rest is in the process's own memory.

The short body is valid JSON exactly if the whole one is. A text keeps its first and its last
characters. A mark shows what was done to its text: each time that the text was written as JSON
inside another text doubles the mark's backslashes, and code that alters a text alters its mark, or
makes the request invalid. In that case, and if a mark is missing from the result, the body must be
planned as a whole.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from secrets import token_hex

from casedesk_proxy.jsonio import JSONError, dumps, loads
from casedesk_proxy.planners.held_body import HeldBody

__all__ = ["AbridgedBody", "Altered"]

#: The middle of a text of so many bytes is left out; and how many bytes are kept before and after
#: it: more than planning reads of a text (the scheme of a URL, the head of a data URL).
_LONG_BYTES, _HEAD_BYTES, _TAIL_BYTES = 1024, 128, 32
#: Bytes of a text that are examined, and written, at once.
_PIECE_BYTES = 64 * 1024
#: The longest escape: a pair of surrogates.
_ESCAPE_BYTES = len(r"\ud83d\ude00")
#: More backslashes in a row are not distinguished.
_MAX_BACKSLASHES = 256
#: A short body with a larger share of the whole one saves nothing.
_WORTH_SHARE = 0.75

# Possessive quantifiers: a backtracking match would be quadratic for long strings.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_IS_NAME = re.compile(rb"[ \t\r\n]*+:")
#: Values that are compared with others, or from which new ones are made: never abridged.
_NAMES_THINGS = re.compile(rb'(?:[iI]d|name)"[ \t\r\n]{0,16}:[ \t\r\n]{0,16}\Z')
_FIRST_HALF = re.compile(rb"\\u[dD][89abAB]")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: Valid base64, of a length that keeps padding right, and nothing that JSON would escape.
_MARK_BEGIN = b"casedeskleft"
#: Follows the mark of a text: it is not base64, and its backslashes show how often it was escaped.
_MARK_END = rb"\tz"

#: Start and end in the body; whether it has only base64's letters; whether it has an escape.
_Middle = tuple[int, int, bool, bool]


class Altered(Exception):
    """A text was altered rather than passed on unchanged."""


class AbridgedBody:
    """``raw`` is the body to plan."""

    __slots__ = ("_body", "_mark", "_middles", "raw")

    def __init__(self, body: mmap.mmap, middles: list[_Middle]) -> None:
        begin = _MARK_BEGIN + token_hex(16).encode()
        self._body, self._middles = body, middles
        self._mark = re.compile(begin + rb"([0-9a-f]{8})(?:(\\+)tz)?")
        pieces, done = list[bytes](), 0
        for index, (start, end, is_base64, _) in enumerate(middles):
            pieces += (body[done:start], begin, b"%08x" % index, b"" if is_base64 else _MARK_END)
            done = end
        self.raw = b"".join([*pieces, body[done:]])

    @classmethod
    def of(cls, held: HeldBody) -> AbridgedBody | None:
        """None if it would not be much shorter."""
        if not held.size:
            return None
        body = mmap.mmap(held.fileno(), held.size, access=mmap.ACCESS_READ)
        middles = list(_find_middles(body))
        left_out = sum(end - start for start, end, _, _ in middles)
        if held.size - left_out > _WORTH_SHARE * held.size:
            return None
        return cls(body, middles)

    @property
    def size(self) -> int:
        """The size of the whole body."""
        return len(self._body)

    def is_in(self, data: bytes) -> bool:
        """Whether ``data`` contains a mark."""
        return self._mark.search(data) is not None

    def expand(self, data: bytes, *, as_sent: bool = False) -> Iterator[bytes]:
        """``data`` with all that was left out, in pieces. ``as_sent``: byte by byte as the client
        wrote it, rather than in our own JSON. Raises Altered."""
        for piece, _ in self._expand(data, as_sent=as_sent):
            yield piece

    def write(self, data: bytes, *, as_sent: bool) -> HeldBody:
        """Write what `expand` yields. Raises Altered, also if a text that was left out is missing
        from the result, and Busy."""
        held, gathered, found = HeldBody.create(), bytearray(), set[int]()
        for piece, index in self._expand(data, as_sent=as_sent):
            found.add(index)
            gathered += piece
            if len(gathered) >= _PIECE_BYTES:
                held.write(gathered)
                gathered.clear()
        held.write(gathered)
        if len(found) <= len(self._middles):  # -1 separates them.
            raise Altered
        return held

    def _expand(self, data: bytes, *, as_sent: bool) -> Iterator[tuple[bytes, int]]:
        done = 0
        for mark in self._mark.finditer(data):
            yield data[done : mark.start()], -1
            done, index = mark.end(), int(mark[1], 16)
            start, end, is_base64, has_escapes = self._middles[index]
            depth = _depth(mark[2] or b"")
            if is_base64 == bool(depth):
                raise Altered
            for begin, to in _cut_up(self._body, start, end):
                piece = self._body[begin:to]
                if has_escapes and not as_sent:
                    piece = _escape(piece, depth)
                yield piece, index
        yield data[done:], -1


def _depth(backslashes: bytes) -> int:
    """How often a text was escaped whose tab has so many backslashes."""
    depth = len(backslashes).bit_length()
    if depth and len(backslashes) != 1 << depth - 1:
        raise Altered
    return depth


def _escape(piece: bytes, times: int) -> bytes:
    """A part of a text, which is escaped already, in the form of our own JSON."""
    text = loads(b'"%b"' % piece)
    for _ in range(times):
        piece = dumps(text)[1:-1]
        text = piece.decode()
    return piece


def _find_middles(body: mmap.mmap) -> Iterator[_Middle]:
    for found in _TEXT.finditer(body):
        start, end = found.span()
        if end - start < _LONG_BYTES or _IS_NAME.match(body, end) is not None:
            continue
        if _NAMES_THINGS.search(body[max(0, start - 64) : start]) is not None:
            continue
        if (middle := _find_middle(body, start + 1, end - 1)) is not None:
            yield middle


def _find_middle(body: mmap.mmap, start: int, end: int) -> _Middle | None:
    """The middle of the text there; None if it is not JSON, or begins with only blanks."""
    first = _find_cut(body, start, start + _HEAD_BYTES)
    last = _find_cut(body, start, end - _TAIL_BYTES)
    if not start < first < last:
        return None
    is_base64, has_escapes = True, False
    try:
        if not loads(b'"%b"' % body[start:first]).strip():
            return None
        for begin, to in _cut_up(body, first, last):
            piece = body[begin:to]
            is_base64 = is_base64 and not _has_others(piece)
            if not is_base64:
                loads(b'"%b"' % piece)
                has_escapes = has_escapes or b"\\" in piece
    except JSONError:
        return None
    if is_base64:
        last -= (last - first) % 4
    return first, last, is_base64, has_escapes


def _has_others(piece: bytes) -> bool:
    """Whether there are characters other than base64's letters."""
    return bool(piece[:_HEAD_BYTES].translate(None, _BASE64) or piece.translate(None, _BASE64))


def _cut_up(body: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where pieces begin and end, between characters."""
    while start < end:
        to = start + _PIECE_BYTES
        to = end if to >= end else _find_cut(body, start, to)
        if to <= start:
            to = end  # There is no place to cut among so many backslashes.
        yield start, to
        start = to


def _find_cut(body: mmap.mmap, start: int, at: int) -> int:
    """The last place up to ``at`` that is neither inside a character nor inside an escape; or
    ``start``, where a character begins. A wrong place would give pieces that are not JSON."""
    begin = max(start, at - _MAX_BACKSLASHES)
    near = body[begin : at + 1]
    cut = at - begin
    while cut > 0 and near[cut] & 0xC0 == 0x80:
        cut -= 1
    found = near.rfind(b"\\", max(0, cut - _ESCAPE_BYTES), cut)
    if found >= 0:
        # The first of several backslashes in a row begins an escape.
        cut = len(near[:found].rstrip(b"\\"))
        if cut >= 6 and _FIRST_HALF.match(near, cut - 6) is not None:
            cut -= 6
    return begin + cut if cut > 0 else start
