"""What the client of a stream gets before a node has replied: nothing at first, then keepalives.

The head is held back until the first keepalive is due. From then on the reply is a stream with
status 200: a failure becomes an error inside it, and the connection is closed without the message's
end. The same relay then carries the node's reply.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import field

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.replying.bodies.base import EarlyBody
from casedesk_proxy.replying.bodies.translated import ReplyTranslation
from casedesk_proxy.replying.endings import Form, end_behind, place_error
from casedesk_proxy.replying.heads import Addressee, translated_head
from casedesk_proxy.replying.keepalive import keepalive_bytes
from casedesk_proxy.replying.machine import ReplyMachine
from casedesk_proxy.replying.record import Terminal, terminal_of
from casedesk_proxy.terms import Call, Dialect, Framing, Position, record
from casedesk_proxy.wire.http1 import header
from casedesk_proxy.wire.jsonarray import ArrayWriter

__all__ = ["EarlyResponse", "begin_early_response"]

log = logging.getLogger(__name__)


class EarlyResponse:
    """Keepalives of ``relay`` every ``interval_s``. ``opened``: the head was sent; ``stop``
    must be called."""

    __slots__ = ("_interval_s", "_loop", "_request", "_timer", "_transport", "relay")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: ClientRequest,
        transport: asyncio.Transport,
        relay: Relay,
        interval_s: float,
    ) -> None:
        self._loop = loop
        self._request = request
        self._transport = transport
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = loop.call_later(interval_s, self._tick)
        self.relay = relay

    @property
    def opened(self) -> bool:
        return not self.relay.machine.is_unsent

    @property
    def sent(self) -> int:
        """Body bytes, as on the wire."""
        return self.relay.sent

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fail(self, error: ProxyError) -> None:
        """Send the error and close, with a FIN that leaves the message incomplete."""
        self.stop()
        try:
            self.relay.cut(terminal_of(error), error)
        except Exception:
            log.exception("a failed request could not be reported to its client")
            self.relay.leave(Terminal.FAILED)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._interval_s, self._tick)
        if self._transport.is_closing() or self._transport.get_write_buffer_size():
            return
        try:
            self.relay.keep_alive()
        except Exception:
            log.exception("internal error in keepalives: the client gets no more of them")
            self.stop()
        self._request.reply_begun = self._request.reply_begun or self.opened


@record
class _Early:
    """What is sent before any node's reply: keepalives, an error's end, and the head that they
    need."""

    keepalive: Callable[[], bytes]
    ending: Callable[[ProxyError], bytes]
    content_type: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def begin_early_response(
    request: ClientRequest, call: Call, plan: Plan, request_id: str, watch: Watch
) -> EarlyResponse | None:
    """None if keepalives are off, or none is safe, as for all unary replies."""
    wanted = plan.deployment.config
    if not wanted.heartbeat or plan.framing is Framing.UNARY:
        return None
    translators = _translators(plan)
    if not translators and not wanted.heartbeat_verbatim:
        return None
    if (transport := request.client.flushed_transport()) is None:
        return None
    if translators:
        early = _translated(plan, call.surface, translators)
    else:
        early = _verbatim(plan, call.surface, request)
    http11 = request.head.http11

    def make_head(length: int | None) -> bytes:
        # The server may have decided meanwhile to close the connection.
        keep_alive = request.head.keep_alive and http11
        client = Addressee(call.surface, request_id, http11, keep_alive, request.notes)
        return translated_head(early.content_type, early.headers, client, length)

    body = EarlyBody(early.keepalive, early.ending, bare=not http11)
    behind = end_behind(call.surface, plan.framing, request.head.headers)
    machine = ReplyMachine(make_head, body, behind)
    relay = Relay(watch.loop, transport, machine, watch.turns)
    return EarlyResponse(watch.loop, request, transport, relay, wanted.heartbeat)


def _translated(plan: Plan, surface: Dialect, translators: list[Translator]) -> _Early:
    headers = next(iter(plan.routes.values())).reply_headers
    form = Form.OWN_ARRAY if plan.framing is Framing.JSON_ARRAY else Form.EVENTS
    translation = ReplyTranslation(translators[0], surface, form)
    keepalive = functools.partial(_keepalive_all, translators)
    return _Early(keepalive, translation.break_off, translators[0].content_type, headers)


def _verbatim(plan: Plan, surface: Dialect, request: ClientRequest) -> _Early:
    if plan.framing is Framing.JSON_ARRAY:
        # The bracket is the first keepalive; the node's own bracket is then left out.
        ending = functools.partial(place_error, surface, Form.ARRAY, Position.OPENED)
        return _Early(ArrayWriter().blank, ending, "application/json")
    content_type, form = "text/event-stream", Form.EVENTS
    if plan.framing is Framing.LINES:
        content_type, form = "application/x-ndjson", Form.LINES
    client = header(request.head.headers, b"x-goog-api-client") or b""
    keepalive = functools.partial(bytes, keepalive_bytes(surface, plan.framing, client))
    ending = functools.partial(place_error, surface, form, Position.BETWEEN)
    return _Early(keepalive, ending, content_type)


def _translators(plan: Plan) -> list[Translator]:
    """The plan's translators, each once: engines that get different requests have separate ones."""
    found: dict[int, Translator] = {}
    for route in plan.routes.values():
        if route.translator is not None:
            found[id(route.translator)] = route.translator
    return list(found.values())


def _keepalive_all(translators: list[Translator]) -> bytes:
    """A keepalive, made by all translators: whichever node replies, its own must know what the
    client has received. Before the first ``feed``, all return the same bytes."""
    same = [one.keepalive() for one in translators]
    return same[0]
