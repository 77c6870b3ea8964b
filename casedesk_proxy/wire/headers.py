"""Which header lines pass the proxy, in either direction. Names keep their case.

Requests pass by an allow list, since stray headers change what a node does (llama-server b11549
keeps a stream that its client left if there is an ``X-Conversation-Id``); replies by a block list,
since unknown headers are harmless to a client. Framing headers are never passed on: the code that
writes a message frames it. A line that could end early and start another line is never passed on.
"""

from __future__ import annotations

import re

from casedesk_proxy.terms import Dialect, RawHeaders

__all__ = [
    "accept_request_id",
    "forward_request_headers",
    "forward_response_headers",
    "node_credential",
]

_TO_NODE = frozenset(
    {
        b"accept",
        b"anthropic-beta",
        b"anthropic-version",
        b"content-type",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-request-id",
    }
)
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
#: Headers that the proxy itself sets (ids, server, length, no compression), that concern only the
#: node (cookies, policies that a browser would remember for the proxy's name), that reveal the
#: node's address (location), or that order a web server in front of the proxy to send a file or
#: another address's content in place of the reply (nginx, Apache, lighttpd, LiteSpeed, Perlbal).
_NOT_TO_CLIENT = _HOP_BY_HOP | {
    b"alt-svc",
    b"clear-site-data",
    b"content-encoding",
    b"content-length",
    b"content-location",
    b"location",
    b"nel",
    b"refresh",
    b"report-to",
    b"reporting-endpoints",
    b"server",
    b"set-cookie",
    b"set-cookie2",
    b"strict-transport-security",
    b"www-authenticate",
    b"x-accel-redirect",
    b"x-lighttpd-send-file",
    b"x-lighttpd-send-tempfile",
    b"x-litespeed-location",
    b"x-reproxy-file",
    b"x-reproxy-url",
    b"x-request-id",
    b"x-sendfile",
    b"x-sendfile2",
}
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BREAKS_OUT = re.compile(rb"[\r\n\0]")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


def forward_request_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The headers of a client that a node gets, in order, with unchanged values.

    Never a credential, a cookie, Host, framing or a hop-by-hop header (RFC 9110 section 7.6.1,
    including those that Connection names); x-request-id only if `accept_request_id` accepts it.
    """
    named = _named_by_connection(headers)
    kept = []
    for name, value in headers:
        low = name.lower()
        if low in _TO_NODE:
            if low == b"x-request-id" and not _REQUEST_ID.fullmatch(value):
                continue
        elif not low.startswith(b"x-goog-") or low == b"x-goog-api-key":
            continue
        if low not in named and _is_clean(name, value):
            kept.append((name, value))
    return kept


def forward_response_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The headers of a node that a client gets, in order; the relay adds ids and framing.

    Leaves out CORS headers, and headers that Connection names.
    """
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if (low := name.lower()) not in _NOT_TO_CLIENT
        and not low.startswith(b"access-control-")
        and low not in named
        and _is_clean(name, value)
    ]


#: The prefix of a WebSocket subprotocol that carries a credential: browsers cannot send headers,
#: and OpenAI's own clients use this.
SUBPROTOCOL_KEY = b"openai-insecure-api-key."


def node_credential(dialect: Dialect, key: str) -> tuple[bytes, bytes]:
    """The node's own key in the header that its protocol uses.

    Raises ValueError for a key that would break out of its header line.
    """
    value = key.strip().encode()
    if _BREAKS_OUT.search(value):
        raise ValueError("a node's key holds a line break")
    if dialect is Dialect.GEMINI:
        return b"x-goog-api-key", value
    if dialect is Dialect.ANTHROPIC:
        return b"x-api-key", value
    return b"Authorization", b"Bearer " + value


def accept_request_id(headers: RawHeaders) -> str | None:
    """The client's x-request-id if it is 1 to 128 visible ASCII characters, else None."""
    for name, value in headers:
        if name.lower() == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return None


def _named_by_connection(headers: RawHeaders) -> frozenset[bytes]:
    options = [value for name, value in headers if name.lower() == b"connection"]
    if not options:
        return frozenset()
    return frozenset(option.strip().lower() for option in b",".join(options).split(b","))


def _is_clean(name: bytes, value: bytes) -> bool:
    return _NAME.fullmatch(name) is not None and _BREAKS_OUT.search(value) is None
