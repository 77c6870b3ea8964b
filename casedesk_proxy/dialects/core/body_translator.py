"""Replies that are one JSON body on both sides: collected, read, written in the other protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, read_reply
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.jsonio import dumps_stream
from casedesk_proxy.terms import Dialect, Position, RawHeaders, Usage

__all__ = ["BodyTranslator", "LateReply"]

#: The client's object, and the usage that the node reported. Raises StreamBroken.
Make = Callable[[dict[str, Any]], tuple[dict[str, Any], Usage]]


class LateReply:
    """The parts of ``contract.Translator`` that are the same for all replies that are sent at their
    end."""

    __slots__ = ("_asked", "_surface", "complete", "content_type", "usage")

    def __init__(self, surface: Dialect, asked: str) -> None:
        self.content_type = "application/json; charset=UTF-8"
        self.usage = Usage()
        self.complete = False
        self._surface = surface
        self._asked = asked

    def halt(self) -> tuple[bytes, Position]:
        return b"", Position.INSIDE

    def keepalive(self) -> bytes:
        return b""

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError:
        return map_node_error(self._surface, status, headers, body, self._asked)


class BodyTranslator(LateReply):
    """See ``contract.Translator``. ``make`` gets the node's object when it is complete."""

    __slots__ = ("_body", "_make")

    def __init__(self, surface: Dialect, asked: str, make: Make) -> None:
        super().__init__(surface, asked)
        self._make = make
        self._body = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._body += data
        if len(self._body) > MAX_HELD_BYTES:
            raise StreamBroken("is too large", its="reply")
        return b""

    def finish(self) -> bytes:
        made, self.usage = self._make(read_reply(bytes(self._body)))
        body = dumps_stream(made)
        self.complete = True
        return body
