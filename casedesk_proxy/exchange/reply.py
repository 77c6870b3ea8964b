"""The head that the client sees for a node's reply."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.headers import forward_response_headers
from casedesk_proxy.wire.http1 import Body, ResponseHead, header

__all__ = ["client_framing", "is_event_stream", "own_head", "reply_head", "transposed_head"]

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


def client_framing(body: Body, *, modern: bool) -> Body:
    """The framing towards the client. An end that the node tells by closing is told by a last
    chunk, so that it cannot be taken for a cut; HTTP/1.0 clients (not ``modern``) know no chunks.
    """
    if body is Body.CHUNKED or body is Body.CLOSE:
        return Body.CHUNKED if modern else Body.CLOSE
    return body


def is_event_stream(head: ResponseHead) -> bool:
    kind = header(head.headers, b"content-type") or b""
    return kind.lower().startswith(b"text/event-stream")


def reply_head(
    head: ResponseHead, body: Body, surface: Dialect, request_id: str, *, keep_alive: bool
) -> bytes:
    """A node's head made the client's: hop-by-hop, cookie and CORS headers off, ids on.

    ``body`` is the framing towards the client, which may differ from the node's.
    """
    lines = [name + b": " + value for name, value in forward_response_headers(head.headers)]
    ident = request_id.encode("ascii")
    lines.append(b"x-request-id: " + ident)
    if surface is Dialect.ANTHROPIC and header(head.headers, b"request-id") is None:
        lines.append(b"request-id: " + ident)
    if is_event_stream(head) and header(head.headers, b"x-accel-buffering") is None:
        # Another nginx in front of us would hold events back (its proxy_buffering).
        lines.append(b"X-Accel-Buffering: no")
    if body is Body.CHUNKED:
        lines.append(b"Transfer-Encoding: chunked")
    elif body is Body.LENGTH:
        lines.append(b"Content-Length: %d" % head.length)
    if not keep_alive:
        lines.append(b"Connection: close")
    return _assemble(head.status, head.reason, lines)


def transposed_head(
    content_type: str,
    headers: tuple[tuple[str, str], ...],
    surface: Dialect,
    request_id: str,
    length: int | None,
    *,
    modern: bool,
    keep_alive: bool,
) -> bytes:
    """The head of a translated reply: ``length`` body bytes, or a stream where that is None."""
    ident = request_id.encode("ascii")
    lines = [b"Content-Type: " + content_type.encode("ascii")]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in headers]
    lines.append(b"x-request-id: " + ident)
    if surface is Dialect.ANTHROPIC:
        lines.append(b"request-id: " + ident)
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    else:
        lines += [b"Cache-Control: no-cache", b"X-Accel-Buffering: no"]
        if modern:
            lines.append(b"Transfer-Encoding: chunked")
    if not keep_alive:
        lines.append(b"Connection: close")
    return _assemble(200, b"", lines)


def own_head(
    status: int, headers: Sequence[tuple[bytes, bytes]], length: int, *, keep_alive: bool
) -> bytes:
    """The head of a reply that we make ourselves."""
    lines = [name + b": " + value for name, value in headers]
    lines.append(b"Content-Length: %d" % length)
    if not keep_alive:
        lines.append(b"Connection: close")
    return _assemble(status, b"", lines)


def _assemble(status: int, reason: bytes, lines: list[bytes]) -> bytes:
    first = b"HTTP/1.1 %d %b" % (status, reason or _PHRASES.get(status, b""))
    return b"\r\n".join([first, *lines]) + b"\r\n\r\n"
