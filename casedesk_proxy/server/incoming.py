"""Bytes from a client that wait to be handled, and what they begin."""

from __future__ import annotations

import re

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.fastpath.head_cache import HeadCache
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.wire.http1 import (
    MAX_HEAD_BYTES,
    MAX_TARGET_BYTES,
    HeadTooLarge,
    MalformedMessage,
    RequestHead,
    TargetTooLong,
)

__all__ = ["Incoming", "read_head"]

#: Bytes of a next request that may wait while one is answered.
_MAX_PENDING_BYTES = 65536
#: The first bytes of a client that speaks https: a handshake record of TLS 1.0 to 1.3. Without an
#: answer it would wait for a timeout.
_TLS_HELLO = b"\x16\x03"
#: RFC 9113, 3.4, of a client that assumes HTTP/2 without negotiation.
_HTTP2_PREFACE = b"PRI * HTTP/2.0"
#: Empty lines before a request, which are skipped (RFC 9112 section 2.2).
_BLANK = re.compile(rb"[\r\n]*")
#: One more than the longest of these.
_FIRST_WORD_BYTE = 32


class Incoming:
    """Bytes in one piece, those before a position already handled: moving the rest forward for each
    of a thousand requests would copy everything each time. ``data`` is empty if nothing waits;
    otherwise it begins with the handled bytes."""

    __slots__ = ("_at", "data")

    def __init__(self) -> None:
        self.data = b""
        self._at = 0

    def __len__(self) -> int:
        return len(self.data) - self._at

    def add(self, data: bytes) -> None:
        self.data = self.data[self._at :] + data if self.data else data
        self._at = 0

    def clear(self) -> None:
        self.data, self._at = b"", 0

    def peek(self) -> bytes:
        """The waiting bytes, up to the longest head."""
        return self.data[self._at : self._at + MAX_HEAD_BYTES]

    def take_head(self) -> bytes | None:
        """The next head, without the empty line that ends it; None while its end is missing. Raises
        BadRequest if it cannot become one. Something must wait."""
        data = self.data
        start = self._at
        if data[start] < _FIRST_WORD_BYTE:
            blank = _BLANK.match(data, start)
            start = blank.end() if blank is not None else start
        end = data.find(b"\r\n\r\n", start, start + MAX_HEAD_BYTES + 4)
        if end >= 0:
            self._at = end + 4
            return data[start:end]
        self._at = start
        if start == len(data):
            self.clear()
        elif data.startswith(_TLS_HELLO, start):
            raise BadRequest("this port speaks plain HTTP; use http://", code="not_https")
        elif data.find(b"\n\n", start, start + MAX_HEAD_BYTES) >= 0:
            raise BadRequest(
                "the request is not well-formed HTTP/1.1: its lines end with LF alone, not with"
                " CR LF; correct the client"
            )
        elif len(self) > MAX_HEAD_BYTES:
            raise BadRequest(
                "the request's head is too large; send fewer or shorter headers", status=431
            )
        return None

    def may_grow(self, request: ClientRequest | None) -> bool:
        """Whether more may be read while ``request`` is served."""
        if request is not None and not request.complete:
            return request.wants
        return len(self) <= _MAX_PENDING_BYTES

    def feed(self, request: ClientRequest) -> None:
        """Pass it its own bytes, as many as it takes in one turn."""
        if self.data:
            self._at += request.feed(self.data, self._at)
            if self._at == len(self.data):
                self.clear()


def read_head(heads: HeadCache[RequestHead], block: bytes) -> RequestHead:
    """Parse the result of `Incoming.take_head`. Raises BadRequest."""
    try:
        return heads.read(block)
    except HeadTooLarge as error:
        fault = BadRequest(f"the request's head is too large: {error}; shorten it", status=431)
    except TargetTooLong:
        fault = BadRequest(
            f"the request's path and query are longer than {MAX_TARGET_BYTES} bytes; shorten them",
            status=414,
        )
    except MalformedMessage as error:
        if block.startswith(_HTTP2_PREFACE):
            fault = BadRequest("this port speaks HTTP/1.1; turn HTTP/2 off", code="not_http2")
        else:
            fault = BadRequest(
                f"the request is not well-formed HTTP/1.1: {error}; correct the client"
            )
    raise fault
