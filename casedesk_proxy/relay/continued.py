"""The relay of a JSON array whose opening bracket the client has had already, as a sign of life."""

from __future__ import annotations

import asyncio

from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.relay.relay import Ending, ReframingRelay
from casedesk_proxy.surfaces import gemini
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import BodyReader

__all__ = ["ContinuedArray"]


class ContinuedArray(ReframingRelay):
    """The node's bytes but for its opening bracket and the blanks before that."""

    __slots__ = ("_begun", "_ending_within")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        head: bytes,
        reader: BodyReader,
        tap: Tap,
        ending: Ending,
        *,
        chunked: bool,
    ) -> None:
        super().__init__(loop, client, head, reader, tap, self._end_array, chunked=chunked)
        self._ending_within = ending
        self._begun = False

    def _pass(self, data: bytes, used: int) -> None:
        payload = b"".join(self._reader.payload)
        if not self._begun:
            payload = payload.lstrip()
            if not payload:
                return
            if not payload.startswith(b"["):
                raise StreamBroken("the node answered with something else than an array")
            self._begun, payload = True, payload[1:]
            self.tap.take(b"[")
        self._pass_on(payload)

    def _sign_of_life(self) -> bytes:
        return super()._sign_of_life() if self._begun else self.pulse

    def _last(self) -> bytes:
        if not self._begun:
            raise StreamBroken("the node ended its reply before it began")
        return super()._last()

    def _end_array(self, tail: bytes, error: ProxyError) -> bytes:
        return self._ending_within(tail, error) if self._begun else gemini.error_element(error)
