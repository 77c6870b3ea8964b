"""What a reply's head, and an error's text, show about the node that sent it."""

from __future__ import annotations

import asyncio

from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.replying.node_errors import nodes_affair, remedy
from casedesk_proxy.replying.verdict import NEEDS_WORDS, Verdict, judge
from casedesk_proxy.upstream.error_bodies import read_words
from casedesk_proxy.upstream.lease import LeasedReply
from casedesk_proxy.upstream.slots import Slots
from casedesk_proxy.wire.http1 import retry_after_s

__all__ = ["TRY_ANOTHER", "judge_refusal", "pass_on_refusal", "record_reply"]

#: Refusals that may not apply to another node: the node that sent them has not begun the request.
TRY_ANOTHER = frozenset(Verdict) - {Verdict.FINE, Verdict.REQUEST, Verdict.FAILED}


def record_reply(slots: Slots, state: NodeState, reply: LeasedReply, plan: Plan) -> bool:
    """Record for the node that it has replied; returns whether the reply is a regular one, not a
    refusal."""
    slots.mark_heard(state)
    if reply.head.status >= 400:
        return False
    slots.record_head(state, plan.demand.service)
    return True


async def judge_refusal(
    loop: asyncio.AbstractEventLoop,
    slots: Slots,
    state: NodeState,
    reply: LeasedReply,
    plan: Plan,
    within_s: float,
) -> Verdict:
    """The verdict on a reply that is a refusal; it is recorded for the node. The rest of an error
    must arrive ``within_s``. If the caller is cancelled meanwhile, the lease is ended."""
    status, body = reply.head.status, b""
    if status == 404 and plan.demand.is_about:
        # The missing thing is what the request named, whatever the error's text is.
        slots.probe_ok(state)
        return Verdict.REQUEST
    if status in NEEDS_WORDS:
        try:
            body = await read_words(loop, reply.lease.connection, reply.head, within_s)
        except BaseException:
            reply.lease.end(clean=False)
            raise
    verdict = judge(status, body)
    if verdict is Verdict.FULL:
        state.record_overload(loop.time(), retry_after_s(reply.head.headers), plan.model)
    _note(slots, state, verdict, reply, plan)
    return verdict


def pass_on_refusal(reply: LeasedReply, verdict: Verdict, plan: Plan) -> LeasedReply:
    """The refusal, if it may be the reply to the client. Otherwise ends the lease and raises an
    UpstreamFault that says the same."""
    status, node = reply.head.status, reply.lease.node.name
    error = nodes_affair(verdict, status, node, plan.asked, plan.model, plan.demand.action)
    if error is None:
        return reply
    reply.lease.end(clean=False)
    raise error


def _note(slots: Slots, state: NodeState, verdict: Verdict, reply: LeasedReply, plan: Plan) -> None:
    service, keyed = plan.demand.service, reply.lease.node.key is not None
    error = remedy(verdict, reply.head.status, state.name, plan.model, keyed=keyed)
    match verdict:
        case Verdict.UNAVAILABLE:
            slots.record_failure(state, NodeFault.UNAVAILABLE, error)
        case Verdict.FAILED:
            slots.record_failure(state, NodeFault.ERROR, error)
        case Verdict.DENIED:
            # This may concern one model only: the node stays available for others.
            slots.record_service_failure(state, service, NodeFault.ABSENT, error)
            slots.record_failure(state, NodeFault.DENIED, error)
        case Verdict.MODEL_DENIED | Verdict.NO_MODEL:
            slots.probe_ok(state)
            slots.record_service_failure(state, service, NodeFault.ABSENT, error)
        case Verdict.NOT_OFFERED:
            slots.probe_ok(state)
            slots.record_service_failure(state, service, NodeFault.ERROR, error)
        case Verdict.FULL:
            slots.note_full(state, error)
        case _:
            slots.probe_ok(state)
