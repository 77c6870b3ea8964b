"""OpenAI's Realtime API, a WebSocket at ``/v1/realtime``: what a handshake asks for.

OpenAI's clients name the model in the query; vLLM's in a frame behind the handshake, where it only
has to be the node's own. So a query without one means the only model there is.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_plus

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.headers import SUBPROTOCOL_KEY

__all__ = ["handshake_headers", "named_model", "rename_in_query", "require_upgrade"]

_VERSION = b"13"
_MODEL = "model="


def require_upgrade(headers: RawHeaders) -> None:
    """Raises BadRequest (426) for what is no handshake of a WebSocket (RFC 6455 section 4.2.1)."""
    found = {name.lower(): value for name, value in headers}
    upgrades = found.get(b"upgrade", b"").lower() == b"websocket"
    asks = b"upgrade" in [one.strip() for one in found.get(b"connection", b"").lower().split(b",")]
    if not (upgrades and asks and found.get(b"sec-websocket-key")):
        raise BadRequest("a WebSocket is served here: open one at this URL", status=426)
    if found.get(b"sec-websocket-version") != _VERSION:
        raise BadRequest("sec-websocket-version: 13 is required", status=426)


def handshake_headers(headers: RawHeaders) -> tuple[tuple[bytes, bytes], ...]:
    """The client's own handshake for the node, without a credential among the subprotocols."""
    lines = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    for name, value in headers:
        low = name.lower()
        if low == b"sec-websocket-protocol":
            value = b", ".join(one for one in _listed(value) if not _is_key(one))
            if not value:
                continue
        if low.startswith(b"sec-websocket-"):
            lines.append((name, value))
    return tuple(lines)


def named_model(query: str) -> str | None:
    for part in query.split("&"):
        if part.startswith(_MODEL):
            return unquote_plus(part[len(_MODEL) :]) or None
    return None


def rename_in_query(query: str, new: str) -> str:
    """Every other byte as the client sent it."""
    named = _MODEL + quote(new, safe="/:")
    return "&".join(named if one.startswith(_MODEL) else one for one in query.split("&"))


def _listed(value: bytes) -> list[bytes]:
    return [one for part in value.split(b",") if (one := part.strip())]


def _is_key(subprotocol: bytes) -> bool:
    return subprotocol.startswith(SUBPROTOCOL_KEY)
