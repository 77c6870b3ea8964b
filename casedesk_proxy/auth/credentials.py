"""Finds the one credential of a request among the forms that SDKs use.

Some clients send two at once (measured: ``Authorization: Bearer`` beside ``x-api-key``, two lines
of ``x-goog-api-key``). The order is fixed and the first one found is used, valid or not.
"""

from __future__ import annotations

import re

from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.headers import SUBPROTOCOL_KEY
from casedesk_proxy.wire.query import cut_key, find_key

__all__ = ["ACCEPTED_FORMS", "cut_key", "find_credential", "has_several"]

#: For messages: the credentials that a client may send, in order of precedence.
ACCEPTED_FORMS = "Authorization: Bearer, x-goog-api-key, x-api-key or ?key="

_SUBPROTOCOL = re.compile(rb"(?:^|,)[ \t]*" + re.escape(SUBPROTOCOL_KEY) + rb"([^,]*)")


def find_credential(headers: RawHeaders, query: str) -> str | None:
    """The credential that is used, or None. ``query`` is the raw query, with the credential still
    in it.

    Of several lines of one header the first non-empty one counts. ``Authorization`` with another
    scheme than Bearer is ignored. Invalid UTF-8 becomes lone surrogates, so that every credential
    can be compared byte for byte.
    """
    google = anthropic = subprotocol = b""
    for name, value in headers:
        low = name.lower()
        if low == b"authorization":
            key = _bearer(value)
            if key:
                return _text(key)
        elif low == b"x-goog-api-key":
            google = google or value.strip()
        elif low == b"x-api-key":
            anthropic = anthropic or value.strip()
        elif low == b"sec-websocket-protocol":
            subprotocol = subprotocol or _among(value)
    winner = google or anthropic or subprotocol
    return _text(winner) if winner else find_key(query)


def has_several(headers: RawHeaders, query: str) -> bool:
    """Whether a request has different credentials, of which `find_credential` takes one."""
    lines = {find_credential((line,), "") for line in headers}
    return len((lines | {find_key(query)}) - {None}) > 1


def _bearer(value: bytes) -> bytes:
    scheme, _, key = value.strip().replace(b"\t", b" ").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _among(subprotocols: bytes) -> bytes:
    """The key that a browser's WebSocket sends as a subprotocol."""
    found = _SUBPROTOCOL.search(subprotocols)
    return found[1].strip() if found is not None else b""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
