"""The status while it changes: server-sent events, one section at a time.

A section is made once in each round for all that see the same: all admins, and all pages with one
key. Nothing is done while no page is open.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.console.desk import Caller, Desk
from casedesk_proxy.console.status import SECTIONS, describe_section
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.wire.sse import named_frame

__all__ = ["Live"]

#: Seconds between two rounds.
_PERIOD_S = 0.5
#: The most rounds without an event.
_MAX_QUIET_ROUNDS = 30
#: How many pages may be open at once in total.
_MAX_WATCHERS = 200
_KEEPALIVE = b": still here\n\n"
_OVER = named_frame(b"session", b'{"signed_in": false}')


class Live:
    """``period_s``: seconds between two rounds."""

    def __init__(self, period_s: float = _PERIOD_S) -> None:
        self._period_s = period_s
        self._watchers = 0
        #: What was made in this round, by who may see it and by section.
        self._round = -1
        self._made: dict[tuple[str, str], bytes] = {}

    async def show(self, desk: Desk, request: web.Request) -> web.StreamResponse:
        caller = desk.require_caller(request)
        if self._watchers >= _MAX_WATCHERS:
            raise ProxyError(
                "too many pages show the status; close some", status=503, code="too_many_pages"
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self._watchers += 1
        try:
            await response.prepare(request)
            if request.method == "HEAD":
                return response
            await self._send(desk, caller, request, response)
        finally:
            self._watchers -= 1
        return response

    async def _send(
        self, desk: Desk, caller: Caller, request: web.Request, response: web.StreamResponse
    ) -> None:
        sent: dict[str, bytes] = {}
        quiet = 0
        while not desk.served.draining:
            await desk.census.refresh()
            if (seen := still_there(desk, caller, request)) is None:
                await response.write(_OVER)
                return
            events = [
                named_frame(name.encode(), data)
                for name in SECTIONS
                if sent.get(name) != (data := self._make(desk, seen, name))
                and not sent.update({name: data})
            ]
            quiet = 0 if events else quiet + 1
            if events:
                await response.write(b"".join(events))
            elif quiet % _MAX_QUIET_ROUNDS == 0:
                await response.write(_KEEPALIVE)
            await asyncio.sleep(self._period_s)

    def _make(self, desk: Desk, caller: Caller, name: str) -> bytes:
        turn = int(asyncio.get_running_loop().time() / self._period_s)
        if turn != self._round:
            self._round = turn
            self._made.clear()
        who = "" if caller.sees_all else f"key {caller.principal.name}"
        known = self._made.get((who, name))
        if known is None:
            known = self._made[who, name] = jsonio.dumps(describe_section(desk, caller, name))
        return known


def still_there(desk: Desk, caller: Caller, request: web.Request) -> Caller | None:
    """The caller with current rights; None once the session or the key has ended."""
    if caller.session is not None:
        if not desk.book.is_open(caller.session):
            return None
        principal = desk.book.principal_of(caller.session)
        return None if principal is None else Caller(principal, caller.way, caller.session)
    try:
        return desk.find_caller(request)
    except ProxyError:
        return None
