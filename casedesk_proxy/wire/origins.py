"""The URL by which a client called the proxy, for replies that contain a URL of the proxy."""

from __future__ import annotations

import re

from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.http1 import header

__all__ = ["find_origin"]

#: A host with or without a port; no character that could end a header or a URL's host.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


def find_origin(headers: RawHeaders, *, is_tls: bool, is_trusted: bool) -> str:
    """``https://host:port``, without a slash at the end. ``is_tls``: the client came over TLS;
    ``is_trusted``: ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` are trusted. ``localhost`` if no
    host can be read."""
    scheme, host = b"https" if is_tls else b"http", header(headers, b"host") or b""
    if is_trusted:
        said = (header(headers, b"x-forwarded-proto") or b"").strip().lower()
        scheme = said if said in (b"http", b"https") else scheme
        said = (header(headers, b"x-forwarded-host") or b"").partition(b",")[0].strip()
        host = said if _HOST.fullmatch(said) else host
    if not _HOST.fullmatch(host):
        host = b"localhost"
    return f"{scheme.decode('ascii')}://{host.decode('ascii')}"
