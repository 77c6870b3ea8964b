"""What the client of a stream hears before a node has replied: nothing, then signs of life.

The head is held back until the first of them is due. From then on the reply is a stream with
status 200, whatever comes of it: a failure is told inside it, and the connection closed without
the message's end.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.relay.parting import reset
from casedesk_proxy.relay.relay import FAREWELL
from casedesk_proxy.relay.request import Request
from casedesk_proxy.replying.endings import broken_ending, envelope
from casedesk_proxy.replying.heads import transposed_head
from casedesk_proxy.replying.keepalive import pulse
from casedesk_proxy.surfaces import gemini
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.wire.chunked import frame_chunk
from casedesk_proxy.wire.http1 import header
from casedesk_proxy.wire.jsonarray import ArrayWriter

__all__ = ["Prelude", "begin_prelude"]

log = logging.getLogger(__name__)


class Prelude:
    """``beat`` gives body bytes, b"" where none are safe yet. ``opened`` tells that the head is
    out, ``sent`` counts body bytes as they stood on the wire. ``stop`` must be called."""

    __slots__ = (
        "_beat",
        "_chunked",
        "_ending",
        "_head",
        "_interval",
        "_loop",
        "_timer",
        "_transport",
        "sent",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        make_head: Callable[[], bytes],
        beat: Callable[[], bytes],
        ending: Callable[[ProxyError], bytes],
        interval: float,
        *,
        chunked: bool,
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._head: Callable[[], bytes] | None = make_head
        self._beat = beat
        self._ending = ending
        self._interval = interval
        self._chunked = chunked
        self._timer: asyncio.TimerHandle | None = loop.call_later(interval, self._tick)
        self.sent = 0

    @property
    def opened(self) -> bool:
        return self._head is None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fail(self, error: ProxyError) -> None:
        """Tell the error and close, by a FIN that leaves the message unfinished."""
        self.stop()
        if self._transport.is_closing():
            return
        try:
            if ending := self._ending(error):
                self._send(ending)
        except Exception:
            log.exception("a client could not be told that its request failed")
            reset(self._transport)
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(FAREWELL, self._transport.abort)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._interval, self._tick)
        if self._transport.is_closing() or self._transport.get_write_buffer_size():
            return
        try:
            if body := self._beat():
                self._send(body)
        except Exception:
            log.exception("signs of life failed by a bug: the client gets no more of them")
            self.stop()

    def _send(self, body: bytes) -> None:
        framed = frame_chunk(body) if self._chunked else body
        self.sent += len(framed)
        if self._head is not None:
            framed, self._head = self._head() + framed, None
        self._transport.write(framed)


def begin_prelude(
    loop: asyncio.AbstractEventLoop,
    request: Request,
    surface: Dialect,
    plan: Plan,
    request_id: str,
) -> Prelude | None:
    """None where no sign of life is wanted, or none is safe: for unary replies above all."""
    wanted = plan.deployment.config
    transport = request.client.transport
    if not wanted.heartbeat or plan.framing is Framing.UNARY or transport is None:
        return None
    translators = _translators(plan)
    content_type = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    beat: Callable[[], bytes]
    ending: Callable[[ProxyError], bytes]
    if translators:
        route = next(iter(plan.routes.values()))
        content_type, headers = translators[0].content_type, route.reply_headers
        beat = functools.partial(_beat_all, translators)
        ending = functools.partial(_translated_ending, translators[0], surface)
    elif not wanted.heartbeat_verbatim:
        return None
    elif plan.framing is Framing.JSON_ARRAY:
        # The bracket is the first sign of life; the relay leaves out the node's.
        content_type = "application/json"
        beat, ending = ArrayWriter().blank, gemini.error_element
    else:
        client = header(request.head.headers, b"x-goog-api-client") or b""
        beat = functools.partial(bytes, pulse(surface, plan.framing, client))
        ending = functools.partial(broken_ending, surface, plan.framing, b"")
    modern = request.head.modern

    def make_head() -> bytes:
        request.begun = True
        return transposed_head(
            content_type, headers, surface, request_id, None,
            modern=modern, keep_alive=request.head.keep_alive and modern,
        )  # fmt: skip

    return Prelude(loop, transport, make_head, beat, ending, wanted.heartbeat, chunked=modern)


def _translators(plan: Plan) -> list[Translator]:
    """Each once: engines that are asked differently have one of their own."""
    found = {id(route.translator): route.translator for route in plan.routes.values()}
    return [one for one in found.values() if one is not None]


def _beat_all(translators: list[Translator]) -> bytes:
    """Whichever node will reply, its translator knows what the client has got: as long as none
    of them has been fed, they all say the same."""
    signs = [one.beat() for one in translators]
    return signs[0]


def _translated_ending(translator: Translator, surface: Dialect, error: ProxyError) -> bytes:
    return translator.error(envelope(surface)(error))
