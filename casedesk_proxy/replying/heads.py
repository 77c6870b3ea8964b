"""The head of a node's reply as the client gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus

from casedesk_proxy.terms import Dialect, RawHeaders, record
from casedesk_proxy.wire.headers import forward_response_headers
from casedesk_proxy.wire.http1 import BodyFraming, ResponseHead, header

__all__ = [
    "ANSWERED",
    "Addressee",
    "annotate",
    "as_lines",
    "client_framing",
    "is_event_stream",
    "is_json",
    "is_line_stream",
    "is_page",
    "own_head",
    "reply_head",
    "translated_head",
]

#: The statuses of an answer: 201 is the default of some frameworks for POST (NestJS).
ANSWERED = frozenset({200, 201})
_EVENTS, _LINES = b"text/event-stream", b"application/x-ndjson"
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


@record
class Addressee:
    """The client that gets a head. ``http11`` is False for clients of HTTP/1.0; ``keep_alive``: its
    connection may carry another request. ``notes``: more lines, see `annotate`."""

    surface: Dialect
    request_id: str
    http11: bool
    keep_alive: bool
    notes: bytes

    def parting(self, *, unless: bool) -> Addressee:
        """The same client, whose connection ends with this reply; ``unless`` it need not."""
        return self if unless or not self.keep_alive else replace(self, keep_alive=False)


def client_framing(body: BodyFraming, *, http11: bool) -> BodyFraming:
    """The framing towards the client. If the node ends its body by closing, the client gets a last
    chunk, so that it does not take the end for a break. HTTP/1.0 clients (not ``http11``) know no
    chunks."""
    if body is BodyFraming.CHUNKED or body is BodyFraming.CLOSE:
        return BodyFraming.CHUNKED if http11 else BodyFraming.CLOSE
    return body


def is_event_stream(head: ResponseHead) -> bool:
    return head.kind.startswith(_EVENTS)


def is_page(head: ResponseHead) -> bool:
    """Whether the reply is a web page for a browser."""
    return head.kind.startswith(b"text/html")


def is_json(head: ResponseHead) -> bool:
    return head.kind.startswith(b"application/json")


def is_line_stream(head: ResponseHead) -> bool:
    """Whether this is an Ollama stream; its answer to a request that only loads a model is one
    document on one line."""
    return head.kind.startswith((_LINES, b"application/json"))


def reply_head(head: ResponseHead, body: BodyFraming, client: Addressee) -> bytes:
    """A node's head, changed for the client: without hop-by-hop, cookie and CORS headers, with ids
    and the client's notes. ``body`` is the framing towards the client, which may differ from the
    node's."""
    end, notes = b"", client.notes
    counts: tuple[int, ...] = ()
    if body is BodyFraming.LENGTH:
        end, counts = b"\r\nContent-Length: %d", (head.length,)
    elif body is BodyFraming.CHUNKED:
        end = b"\r\nTransfer-Encoding: chunked"
    if not (client.keep_alive and client.http11):
        end += b"\r\n" + _connection(keep_alive=client.keep_alive)
    template, ids = _template(
        head.status, head.reason, head.headers, client.surface, end, notes != b""
    )
    values = (client.request_id.encode("ascii"),) * ids + counts
    return template % ((*values, notes) if notes else values)


@lru_cache(maxsize=128)
def _template(
    status: int, reason: bytes, headers: RawHeaders, surface: Dialect, end: bytes,
    has_notes: bool,
) -> tuple[bytes, int]:  # fmt: skip
    """What is the same for every reply of a node with such headers, and how often the request's id
    occurs in it, before what ``end`` has places for, and the notes."""
    forwarded = forward_response_headers(headers)
    if has_notes:
        forwarded = [one for one in forwarded if b"ratelimit-" not in one[0].lower()]
    lines = [name + b": " + value for name, value in forwarded]
    lead = b"\r\n".join([_first_line(status, reason), *lines]).replace(b"%", b"%%")
    ids = b"\r\nx-request-id: %b"
    if surface is Dialect.ANTHROPIC and header(headers, b"request-id") is None:
        ids += b"\r\nrequest-id: %b"
    count = ids.count(b"%b")
    kind = (header(headers, b"content-type") or b"").lower()
    if kind.startswith((_EVENTS, _LINES)) and header(headers, b"x-accel-buffering") is None:
        # Another nginx in front of the proxy would hold events back (its proxy_buffering).
        ids += b"\r\nX-Accel-Buffering: no"
    return lead + ids + end + (b"\r\n%b\r\n" if has_notes else b"\r\n\r\n"), count


def translated_head(
    content_type: str,
    headers: tuple[tuple[str, str], ...],
    client: Addressee,
    length: int | None,
) -> bytes:
    """The head of a translated reply: ``length`` body bytes, or a stream where that is None."""
    ident = client.request_id.encode("ascii")
    lines = [b"Content-Type: " + content_type.encode("ascii")]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in headers]
    lines.append(b"x-request-id: " + ident)
    if client.surface is Dialect.ANTHROPIC:
        lines.append(b"request-id: " + ident)
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    else:
        lines += [b"Cache-Control: no-cache", b"X-Accel-Buffering: no"]
        if client.http11:
            lines.append(b"Transfer-Encoding: chunked")
    if not (client.keep_alive and client.http11):
        lines.append(_connection(keep_alive=client.keep_alive))
    head = _assemble(200, b"", lines)
    return annotate(head, client.notes) if client.notes else head


def own_head(
    status: int,
    headers: Sequence[tuple[bytes, bytes]],
    length: int,
    *,
    keep_alive: bool,
    http11: bool = True,
) -> bytes:
    """The head of a reply that the proxy itself makes."""
    lines = [name + b": " + value for name, value in headers]
    lines.append(b"Content-Length: %d" % length)
    if not (keep_alive and http11):
        lines.append(_connection(keep_alive=keep_alive))
    return _assemble(status, b"", lines)


def as_lines(headers: RawHeaders) -> bytes:
    """Headers as lines of a head."""
    return b"".join([b"%b: %b\r\n" % one for one in headers])


def annotate(head: bytes, notes: bytes) -> bytes:
    """A head with more lines, which report what is left of limits. The node's own limits are hidden
    from a client with limits here."""
    if b"ratelimit-" in head.lower():
        lines = head[:-4].split(b"\r\n")
        kept = [line for line in lines if b"ratelimit-" not in line.lower().partition(b":")[0]]
        head = b"\r\n".join(kept) + b"\r\n\r\n"
    return head[:-2] + notes + b"\r\n"


def _connection(*, keep_alive: bool) -> bytes:
    """The Connection line, if one is needed: a client of HTTP/1.0 that asked for a persistent
    connection waits for confirmation (RFC 9112 appendix C.2.2)."""
    return b"Connection: keep-alive" if keep_alive else b"Connection: close"


def _assemble(status: int, reason: bytes, lines: list[bytes]) -> bytes:
    return b"\r\n".join([_first_line(status, reason), *lines]) + b"\r\n\r\n"


def _first_line(status: int, reason: bytes) -> bytes:
    return b"HTTP/1.1 %d %b" % (status, reason or _PHRASES.get(status, b""))
