"""A translator with easily visible results, for tests of translated replies."""

from __future__ import annotations

from casedesk_proxy.errors import BadRequest, ProxyError, StreamBroken
from casedesk_proxy.terms import Position, RawHeaders, Usage


class Shouting:
    """A translator into capitals. It breaks at ``!`` and needs a full stop at the end. With
    ``late`` it returns everything at the end, with ``early`` as soon as the full stop has arrived.
    ``pieces``: the size of the pieces in which it returns the end."""

    content_type = "text/plain"
    usage = Usage(1, 2)

    def __init__(self, when: str) -> None:
        self.when = when
        self.held = b""
        self.text = b""
        self.pieces = 0

    @property
    def complete(self) -> bool:
        return self.text.endswith(b".")

    def feed(self, data: bytes) -> bytes:
        if b"!" in data:
            raise StreamBroken("shouted by itself")
        self.text += data
        self.held += data.upper()
        if self.when == "at once" or (self.when == "early" and self.text.endswith(b".")):
            given, self.held = self.held, b""
            return given
        return b""

    def finish(self) -> bytes | tuple[bytes, ...]:
        if not self.text.endswith(b"."):
            raise StreamBroken("sent no full stop")
        size, held = self.pieces, self.held
        if size:
            return tuple(held[at : at + size] for at in range(0, len(held), size))
        return held

    def halt(self) -> tuple[bytes, Position]:
        return b"<", Position.BETWEEN

    def keepalive(self) -> bytes:
        return b""

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        return BadRequest(f"node said {status} {len(body)}")
