"""The relay of an error that a node answered: collected, judged, and only then sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.replying.node_errors import LONGEST
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import BodyReader

__all__ = ["RefusalRelay"]


class RefusalRelay(Relay):
    """``judge`` gives the error to answer with, or None: then the body goes out as it came, below
    the head that ``make_head`` makes for its length."""

    __slots__ = ("_body", "_judge", "_make_head")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        reader: BodyReader,
        make_head: Callable[[int], bytes],
        judge: Callable[[bytes], ProxyError | None],
    ) -> None:
        super().__init__(loop, client, b"", reader, Tap(), _no_ending)
        self._make_head = make_head
        self._judge = judge
        self._body = b""

    def _is_unsent(self) -> bool:
        return self._silent

    def _open(self) -> None:
        """Nothing yet: see the module."""

    def _pass(self, data: bytes, used: int) -> None:
        # One byte more than is looked at tells that it is too long.
        self._body = (self._body + b"".join(self._reader.payload))[: LONGEST + 1]
        if len(self._body) > LONGEST and not self._reader.ended:
            raise StreamBroken("the node's error is too long to be one")

    def _last(self) -> bytes:
        self.fault = self._judge(self._body)
        if self.fault is not None:
            return b""
        self._head = self._make_head(len(self._body))
        return self._body

    def _break(self, error: StreamBroken) -> None:
        """An error reply cut short is still an error reply."""
        if self.terminal is None:
            self.fault = self._judge(self._body) or error
            self._end(Terminal.COMPLETED)


def _no_ending(tail: bytes, error: ProxyError) -> bytes:
    return b""
