"""One request, from its head to its outcome: the story that the architecture tells.

read the call → find who asks → read the body → plan → dispatch → relay → outcome
"""

from __future__ import annotations

import asyncio
import logging
import uuid

from aiohttp import web

from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.auth.tokens import authorise, bare_deployment
from casedesk_proxy.errors import NotFound, ProxyError, UpstreamFault, UpstreamTimeout
from casedesk_proxy.exchange.outcome import Outcome, Terminal
from casedesk_proxy.exchange.plan import Plan, plan_request
from casedesk_proxy.exchange.reply import own_head
from casedesk_proxy.exchange.snapshot import DeploymentSpec, Snapshot
from casedesk_proxy.server.accesslog import Sink
from casedesk_proxy.server.body import read_request_body
from casedesk_proxy.server.catalogue import list_models
from casedesk_proxy.server.connection import CLOSE, KEEP, Sent
from casedesk_proxy.server.delivery import Delivery
from casedesk_proxy.server.watch import Watch
from casedesk_proxy.surfaces.envelopes import Reply as OwnReply
from casedesk_proxy.surfaces.envelopes import error_reply
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.terms import Action, Call, Dialect
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.wire.headers import accept_request_id
from casedesk_proxy.wire.query import scrub_target

__all__ = ["Handler"]

log = logging.getLogger(__name__)

_CATALOGUE = frozenset({Action.LIST_MODELS, Action.GET_MODEL})


class Handler:
    """Answers requests with the current ``snapshot``; a running exchange keeps its own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        dispatcher: Dispatcher,
        metadata: Metadata,
        sinks: tuple[Sink, ...],
    ) -> None:
        self._loop = loop
        self.snapshot = snapshot
        self._dispatcher = dispatcher
        self._metadata = metadata
        self._sinks = sinks
        self.watch = Watch(loop)
        self._in_flight = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def wait_quiet(self) -> None:
        """Until no request is being answered."""
        await self._quiet.wait()

    async def handle(self, request: web.BaseRequest) -> Sent:
        """What aiohttp calls for every request. Raises nothing but CancelledError."""
        outcome = Outcome(
            request_id=accept_request_id(request.raw_headers) or uuid.uuid4().hex,
            started=self._loop.time(),
            method=request.method,
            target=scrub_target(request.raw_path),
        )
        delivery: Delivery | None = None
        self._in_flight += 1
        self._quiet.clear()
        try:
            answer = await self._answer(request, outcome)
            if isinstance(answer, Sent):
                return answer
            delivery = answer
            # Nothing but this line waits while a stream runs: the request's body, its plan and
            # the frames that made them are gone.
            await delivery.relay.wait()
            return delivery.sent
        except ProxyError as error:
            return self._refuse(request, outcome, error)
        except asyncio.CancelledError:
            gone = request.transport is None or request.transport.is_closing()
            outcome.terminal = Terminal.CLIENT_GONE if gone else Terminal.SHUT_DOWN
            outcome.status = outcome.status or 499
            raise
        except Exception:
            log.exception("request %s failed by a bug", outcome.request_id)
            return self._refuse(request, outcome, ProxyError("internal error"))
        finally:
            if delivery is not None:
                delivery.close(outcome)
            outcome.ended = self._loop.time()
            for sink in self._sinks:
                sink(outcome)
            self._in_flight -= 1
            if not self._in_flight:
                self._quiet.set()

    async def _answer(self, request: web.BaseRequest, outcome: Outcome) -> Sent | Delivery:
        """Everything up to a reply's head, or a reply of our own."""
        snapshot = self.snapshot
        target, headers = request.raw_path, request.raw_headers
        outcome.surface = guess_surface(target, headers)
        call = read_call(request.method, target, headers)
        outcome.surface, outcome.action = call.surface, call.action
        deployment = self._admit(snapshot, call, request, outcome)
        if call.action in _CATALOGUE:
            reply = list_models(call, deployment.rules, self._metadata.reported)
            outcome.terminal = Terminal.COMPLETED
            return self._send(request, outcome, reply)
        raw = await read_request_body(request, snapshot.max_body, snapshot.body_timeout)
        outcome.received = len(raw)
        plan = await self._plan(snapshot, deployment, call, request, raw, outcome)
        outcome.asked, outcome.model = plan.asked, plan.model
        answer = await self._dispatcher.open(plan, outcome)
        delivery = Delivery(self._loop, request, answer, call.surface, plan.framing, self.watch)
        delivery.begin(outcome.request_id, deployment.client_stall_timeout)
        return delivery

    def _admit(
        self, snapshot: Snapshot, call: Call, request: web.BaseRequest, outcome: Outcome
    ) -> DeploymentSpec:
        """The deployment, if the caller may use it."""
        credential = find_credential(request.raw_headers, request.raw_path.partition("?")[2])
        known = snapshot.tokens.match(credential) if credential else None
        name = call.deployment or bare_deployment(known, snapshot.default_deployment) or ""
        deployment = snapshot.deployments.get(name)
        hidden = "tokens" if snapshot.tokens else None
        auth = deployment.auth if deployment else hidden
        principal = authorise(known, credential, name, auth)
        assert deployment is not None, "authorise refuses names that no deployment has"
        outcome.token, outcome.deployment = principal.name, deployment.name
        return deployment

    async def _plan(
        self,
        snapshot: Snapshot,
        deployment: DeploymentSpec,
        call: Call,
        request: web.BaseRequest,
        raw: bytes,
        outcome: Outcome,
    ) -> Plan:
        def plan() -> Plan:
            return plan_request(
                snapshot, deployment, call, request.raw_headers, raw,
                self._metadata.reported, outcome.request_id,
            )  # fmt: skip

        try:
            return plan()
        except NotFound:
            # Perhaps the model was pulled a moment ago.
            await self._metadata.refresh()
            return plan()

    def _refuse(self, request: web.BaseRequest, outcome: Outcome, error: ProxyError) -> Sent:
        outcome.code = error.code
        outcome.terminal = _terminal(error)
        surface = Dialect(outcome.surface or Dialect.GEMINI)
        return self._send(request, outcome, error_reply(surface, error, outcome.request_id))

    def _send(self, request: web.BaseRequest, outcome: Outcome, reply: OwnReply) -> Sent:
        """A reply of our own, written in one piece."""
        outcome.status, outcome.sent = reply.status, len(reply.body)
        # What is left unread of a body must not be taken for the next request.
        keep_alive = request.keep_alive and request.content.is_eof()
        ident = (b"x-request-id", outcome.request_id.encode("ascii"))
        head = own_head(
            reply.status, (*reply.headers, ident), len(reply.body), keep_alive=keep_alive
        )
        if request.transport is not None:
            request.transport.write(head + reply.body)
            outcome.first_byte = self._loop.time()
        return KEEP if keep_alive else CLOSE


def _terminal(error: ProxyError) -> Terminal:
    if isinstance(error, UpstreamTimeout):
        return Terminal.TIMED_OUT
    if isinstance(error, UpstreamFault):
        return Terminal.NODE_UNAVAILABLE
    return Terminal.FAILED if error.status == 500 else Terminal.REFUSED
