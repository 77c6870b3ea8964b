"""HTTP/1.1 messages with a node: the head of a reply read, the head of a request written.

Strict where leniency would blur where a message ends (RFC 9112 section 6.3): conflicting
lengths, a length beside chunked framing, an unknown transfer coding or a folded line make the
reply malformed. A node that sends such a head is not worth guessing about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from casedesk_proxy.terms import RawHeaders

__all__ = [
    "MAX_HEAD",
    "Body",
    "MalformedReply",
    "ResponseHead",
    "header",
    "parse_response_head",
    "request_head",
]

#: Longest reply head accepted, in bytes. nginx's proxy_buffer_size is 8 KiB, Node's limit 16 KiB.
MAX_HEAD = 32768

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_NO_BODY = frozenset({204, 304})


class MalformedReply(ValueError):
    """The node's bytes are not a well-formed HTTP/1.x reply."""


class Body(Enum):
    """How the end of a reply's body is known."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A reply's head. ``length`` is the number of body bytes where ``body`` is LENGTH, else 0.

    ``keep_alive`` is the node's word that the connection may carry another request.
    """

    status: int
    reason: bytes
    headers: RawHeaders
    body: Body
    length: int
    keep_alive: bool


def header(headers: RawHeaders, name: bytes) -> bytes | None:
    """The first value of a header; ``name`` in lower case."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def parse_response_head(block: bytes) -> ResponseHead:
    """Read a head, given without the empty line that ends it. Raises MalformedReply."""
    status_line, *lines = block.split(b"\r\n")
    match = _STATUS.fullmatch(status_line)
    if match is None:
        raise MalformedReply("not a status line")
    headers = tuple(_field(line) for line in lines)
    status = int(match[2])
    body, length, keep_alive = _framing(status, headers, minor=int(match[1]))
    return ResponseHead(status, match[3] or b"", headers, body, length, keep_alive)


def _field(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise MalformedReply("not a header line")
    return match[1], match[2].rstrip(b" \t")


def _framing(status: int, headers: RawHeaders, minor: int) -> tuple[Body, int, bool]:
    coding: bytes | None = None
    length: int | None = None
    keep_alive = minor == 1
    for name, value in headers:
        name = name.lower()
        if name == b"content-length":
            length = _same_length(value, length)
        elif name == b"transfer-encoding":
            coding = value.lower() if coding is None else coding + b"," + value.lower()
        elif name == b"connection":
            options = [option.strip() for option in value.lower().split(b",")]
            keep_alive = b"close" not in options and (keep_alive or b"keep-alive" in options)
    if status < 200 or status in _NO_BODY:
        return Body.NONE, 0, keep_alive
    if coding is not None:
        if coding != b"chunked":
            raise MalformedReply("transfer coding other than chunked")
        if length is not None:
            raise MalformedReply("both Content-Length and Transfer-Encoding")
        return Body.CHUNKED, 0, keep_alive
    if length is not None:
        return Body.LENGTH, length, keep_alive
    return Body.CLOSE, 0, False


def _same_length(value: bytes, known: int | None) -> int:
    if not value.isdigit() or len(value) > 15:
        raise MalformedReply("Content-Length is not a number")
    length = int(value)
    if known is not None and known != length:
        raise MalformedReply("conflicting Content-Length")
    return length


def request_head(method: str, target: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A request's head with its empty line. ``target`` is ASCII and already encoded."""
    lines = [f"{method} {target} HTTP/1.1".encode("ascii")]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"
