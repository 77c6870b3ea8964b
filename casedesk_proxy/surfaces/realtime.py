"""OpenAI's Realtime API, a WebSocket at ``/v1/realtime``: the request of a handshake.

OpenAI's clients name the model in the query; vLLM's in a frame after the handshake, where it only
has to be the node's own. So a query without a model means the only available model.
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
    """Raises BadRequest (426) for a request that is not a WebSocket handshake (RFC 6455 section
    4.2.1), and (400) for one with a body: some nodes would read that as frames."""
    found = {name.lower(): value for name, value in headers}
    upgrades = found.get(b"upgrade", b"").lower() == b"websocket"
    asks = b"upgrade" in [one.strip() for one in found.get(b"connection", b"").lower().split(b",")]
    if not (upgrades and asks and found.get(b"sec-websocket-key")):
        raise BadRequest("a WebSocket is served here: open one at this URL", status=426)
    if found.get(b"sec-websocket-version") != _VERSION:
        raise BadRequest.about("sec-websocket-version", "13 is required", status=426)
    if b"transfer-encoding" in found or found.get(b"content-length", b"0").strip(b"0"):
        raise BadRequest("a WebSocket begins without a body; leave the body out")


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
    """None if it names none. Raises BadRequest if it names two: nodes differ in which of them they
    use."""
    named = [part.partition("=")[2] for part in query.split("&") if _is_model(part)]
    if len(named) > 1:
        raise BadRequest.about("model", "appears twice in the query; name one")
    return unquote_plus(named[0]) or None if named else None


def rename_in_query(query: str, new: str) -> str:
    """Every other byte as the client sent it."""
    named = _MODEL + quote(new, safe="/:")
    return "&".join(named if _is_model(one) else one for one in query.split("&"))


def _is_model(pair: str) -> bool:
    """Whether this is the model, however its name is encoded."""
    return unquote_plus(pair.partition("=")[0]) == "model"


def _listed(value: bytes) -> list[bytes]:
    return [one for part in value.split(b",") if (one := part.strip())]


def _is_key(subprotocol: bytes) -> bool:
    return subprotocol.startswith(SUBPROTOCOL_KEY)
