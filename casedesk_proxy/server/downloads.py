"""The content of a file on its way to a client: read in a thread, at the client's speed."""

from __future__ import annotations

import asyncio

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.files.store import OpenFile
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.record import Delivered, ReplyFacts, Terminal

__all__ = ["Download"]

#: Bytes of one read; at most twice as much is in memory.
_READ_BYTES = 2**18


class Download:
    """See `relay.flow.Flow`: the client's backpressure pauses it. ``head``: the reply's;
    ``stall_s``: how long the client may read nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: ClientRequest,
        content: OpenFile,
        head: bytes,
        stall_s: float,
    ) -> None:
        self._loop = loop
        self._request = request
        self._content = content
        self._head = head
        self._stall_s = stall_s
        self._resumed: OneShot[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.paused_at: float | None = None
        self.terminal: Terminal | None = None
        self.is_unsent = True
        self.events = 0
        self.sent = 0

    async def run(self, *, keep_alive: bool) -> Delivered:
        """Write all that the client reads. Raises ProxyError only if nothing has been sent."""
        client, size = self._request.client, self._content.file.size
        first, left = await self._content.read(_READ_BYTES), size
        transport = client.flushed_transport()
        first_byte = self._loop.time()
        client.relay = self
        self._request.reply_begun, self.is_unsent = True, False
        try:
            if transport is not None:
                transport.write(self._head)
            while transport is not None and self.terminal is None and first:
                transport.write(first)
                self.events += 1
                self.sent += len(first)
                left -= len(first)
                if self.paused_at is not None and not await self._wait():
                    self.terminal = Terminal.CLIENT_STALLED
                    break
                first = await self._content.read(min(_READ_BYTES, left))
        except ProxyError:
            self.terminal = Terminal.FAILED
        finally:
            client.relay = None
            self._content.close()
        end = self.terminal or (Terminal.FAILED if left else Terminal.COMPLETED)
        if end is not Terminal.COMPLETED:
            client.reset()
        facts = ReplyFacts(200, end, first_byte=first_byte, sent=self.sent, events=self.events)
        return Delivered(facts, keep_alive and end is Terminal.COMPLETED)

    async def _wait(self) -> bool:
        """Wait until the client reads more; return whether it does."""
        self._resumed = one_shot = OneShot[bool](self._loop)
        self._timer = self._loop.call_later(self._stall_s, self._give_up)
        try:
            return await one_shot
        finally:
            self._timer.cancel()
            self._resumed = self._timer = None

    def _give_up(self) -> None:
        self._resolve(is_resumed=False)

    def _resolve(self, *, is_resumed: bool) -> None:
        if self._resumed is not None and not self._resumed.done:
            self._resumed.set(is_resumed)

    # Called by the client's connection.

    def pause(self) -> None:
        self.paused_at = self._loop.time()

    def resume(self) -> None:
        self.paused_at = None
        self._resolve(is_resumed=True)

    def leave(self, terminal: Terminal) -> None:
        self.terminal = self.terminal or terminal
        self._resolve(is_resumed=True)

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        self.leave(terminal)

    def conclude(self) -> None: ...

    def keep_alive(self) -> None: ...

    def fail(self) -> None:
        self.leave(Terminal.FAILED)
