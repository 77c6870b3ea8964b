"""Heads of HTTP/1.1 messages: of clients' requests and nodes' replies.

The parser is strict where leniency would leave a message's end unclear (RFC 9112 section 6.3):
conflicting lengths, a length beside chunked framing, an unknown transfer coding, a bare LF or a
folded line make the message malformed. Guessing would be dangerous: requests are smuggled where two
parsers guess differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from enum import Enum

from casedesk_proxy.terms import RawHeaders, record

__all__ = [
    "MAX_HEAD_BYTES",
    "MAX_TARGET_BYTES",
    "BodyFraming",
    "HeadTooLarge",
    "MalformedMessage",
    "RequestHead",
    "ResponseHead",
    "TargetTooLong",
    "glimpse_head",
    "header",
    "parse_request_head",
    "parse_response_head",
    "request_head",
    "retry_after_s",
]

#: The longest head accepted, in bytes. Node accepts 16 KiB, nginx four times 8 KiB.
MAX_HEAD_BYTES = 32768

#: The longest target, in bytes: as nginx accepts, and RFC 9110 section 4.1 recommends. Reading the
#: path and the query costs much more for each byte than reading header lines.
MAX_TARGET_BYTES = 8192

#: The most header lines of a head, since a head is parsed without a pause. SDKs send up to 40.
MAX_FIELDS = 256

#: The target is any visible ASCII, and bytes above ASCII, which some clients send unencoded.
_REQUEST = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])"
)
#: For a head of which only the beginning, or only a part, is well-formed.
_BEGINNING = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e\x80-\xff]+)")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_NO_BODY = frozenset({204, 304})


class MalformedMessage(ValueError):
    """The bytes are not a well-formed HTTP/1.x message."""


class HeadTooLarge(MalformedMessage):
    """The head is longer than the limit: the reply is 431."""


class TargetTooLong(MalformedMessage):
    """The request's target is longer than MAX_TARGET_BYTES: the reply is 414."""


class BodyFraming(Enum):
    """How the end of a message's body is known."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@record
class RequestHead:
    """A request's head. ``target`` is the raw target, decoded as UTF-8; invalid bytes are kept as
    surrogates (PEP 383). ``http11`` is False for HTTP/1.0. ``body`` is NONE, LENGTH or CHUNKED."""

    method: str
    target: str = field(repr=False)
    http11: bool
    headers: RawHeaders = field(repr=False)
    body: BodyFraming
    length: int
    keep_alive: bool

    def with_length(self, length: int) -> RequestHead:
        return RequestHead(
            self.method, self.target, self.http11, self.headers, self.body, length, self.keep_alive
        )

    def without_headers(self) -> RequestHead:
        return RequestHead(
            self.method, self.target, self.http11, (), self.body, self.length, self.keep_alive
        )


@record
class ResponseHead:
    """A reply's head. ``length`` is the number of body bytes if ``body`` is LENGTH, else 0.

    ``keep_alive``: the node says that the connection may carry another request. ``kind`` is the
    body's media type and ``coding`` its content coding, both in lower case; ``coding`` is empty if
    it is not compressed.
    """

    status: int
    reason: bytes
    headers: RawHeaders = field(repr=False)
    body: BodyFraming
    length: int
    keep_alive: bool
    kind: bytes = b""
    coding: bytes = b""

    def with_length(self, length: int) -> ResponseHead:
        return ResponseHead(
            self.status, self.reason, self.headers, self.body, length, self.keep_alive, self.kind,
            self.coding,
        )  # fmt: skip


def header(headers: RawHeaders, name: bytes) -> bytes | None:
    """The first value of a header; ``name`` in lower case."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def retry_after_s(headers: RawHeaders) -> float | None:
    """Retry-After in seconds. A date counts as no hint (RFC 9110, 10.2.3): no inference server
    sends one."""
    value = (header(headers, b"retry-after") or b"").strip()
    return float(value) if value.isdigit() and len(value) < 9 else None


def parse_request_head(block: bytes) -> RequestHead:
    """Read a head, given without the empty line that ends it. Raises MalformedMessage."""
    request_line, *lines = _split(block)
    match = _REQUEST.fullmatch(request_line)
    if match is None:
        raise MalformedMessage("not a request line")
    if len(match[2]) > MAX_TARGET_BYTES:
        raise TargetTooLong
    headers = tuple(_field(line) for line in lines)
    http11 = match[3] == b"1"
    hosts = sum(name.lower() == b"host" for name, _ in headers)
    if hosts > 1 or (http11 and not hosts):
        raise MalformedMessage("a request has one Host header")
    body, length, keep_alive = _framing(headers, http11=http11)
    if body is BodyFraming.CHUNKED and not http11:
        raise MalformedMessage("chunked framing in HTTP/1.0")
    if body is BodyFraming.CLOSE:
        body = BodyFraming.NONE
    method, target = match[1].decode("ascii"), match[2].decode("utf-8", "surrogateescape")
    return RequestHead(method, target, http11, headers, body, length, keep_alive)


def glimpse_head(data: bytes) -> tuple[str, str, RawHeaders]:
    """Method, target and headers of a head that is incomplete or refused, as far as they can be
    read, for a fitting error reply. Each may be empty, and the target incomplete, with at most
    MAX_TARGET_BYTES. Raises nothing."""
    request_line, *lines = data.lstrip(b"\r\n")[:MAX_HEAD_BYTES].split(b"\r\n")
    match = _BEGINNING.match(request_line)
    if match is None:
        return "", "", ()
    fields = tuple(field for line in lines if (field := _FIELD.fullmatch(line)) is not None)
    headers = tuple((field[1], field[2].rstrip(b" \t")) for field in fields)
    target = match[2][:MAX_TARGET_BYTES].decode("utf-8", "surrogateescape")
    return match[1].decode("ascii"), target, headers


def parse_response_head(block: bytes) -> ResponseHead:
    """Read a head, given without the empty line that ends it. Raises MalformedMessage."""
    status_line, *lines = _split(block)
    match = _STATUS.fullmatch(status_line)
    if match is None:
        raise MalformedMessage("not a status line")
    headers = tuple(_field(line) for line in lines)
    status = int(match[2])
    body, length, keep_alive = _framing(headers, http11=match[1] == b"1")
    if status < 200 or status in _NO_BODY:
        body, length = BodyFraming.NONE, 0
    keep_alive = keep_alive and body is not BodyFraming.CLOSE
    kind = (header(headers, b"content-type") or b"").lower()
    coding = (header(headers, b"content-encoding") or b"").strip().lower()
    if coding == b"identity":
        coding = b""
    return ResponseHead(status, match[3] or b"", headers, body, length, keep_alive, kind, coding)


def _split(block: bytes) -> list[bytes]:
    lines = block.split(b"\r\n", MAX_FIELDS + 1)
    if len(lines) > MAX_FIELDS + 1:
        raise HeadTooLarge(f"more than {MAX_FIELDS} header lines")
    return lines


def _field(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise MalformedMessage("not a header line")
    return match[1], match[2].rstrip(b" \t")


def _framing(headers: RawHeaders, *, http11: bool) -> tuple[BodyFraming, int, bool]:
    """The body's framing, its length, and whether the connection may carry another message:
    ``close`` anywhere in the Connection lines decides (RFC 9112 section 9.3)."""
    coding: bytes | None = None
    length: int | None = None
    keep_alive, close = http11, False
    for name, value in headers:
        name = name.lower()
        if name == b"content-length":
            length = _same_length(value, length)
        elif name == b"transfer-encoding":
            coding = value.lower() if coding is None else coding + b"," + value.lower()
        elif name == b"connection":
            options = [option.strip() for option in value.lower().split(b",")]
            close = close or b"close" in options
            keep_alive = keep_alive or b"keep-alive" in options
    keep_alive = keep_alive and not close
    if coding is not None:
        if coding != b"chunked":
            raise MalformedMessage("transfer coding other than chunked")
        if length is not None:
            raise MalformedMessage("both Content-Length and Transfer-Encoding")
        return BodyFraming.CHUNKED, 0, keep_alive
    if length is not None:
        return BodyFraming.LENGTH, length, keep_alive
    return BodyFraming.CLOSE, 0, keep_alive


def _same_length(value: bytes, known: int | None) -> int:
    if not value.isdigit() or len(value) > 15:
        raise MalformedMessage("Content-Length is not a number")
    length = int(value)
    if known is not None and known != length:
        raise MalformedMessage("conflicting Content-Length")
    return length


def request_head(method: str, target: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A request's head with its empty line. ``target`` is already encoded; bytes that a client sent
    unencoded are sent unchanged."""
    lines = [f"{method} {target} HTTP/1.1".encode("utf-8", "surrogateescape")]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"
