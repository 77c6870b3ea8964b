"""A planner: it plans one request after another, until the daemon has gone.

A process of its own, made by `parent_process`: signals to the group are handled by the daemon. It
is the first process that is killed when memory is short.
"""

from __future__ import annotations

import contextlib
import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.planners.abridged import AbridgedBody, Altered
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Closed,
    Facts,
    MessageKind,
    PlanRequest,
    PlanResult,
    pack,
    receive,
    send,
)
from casedesk_proxy.planning.conversation_key import Marked
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.terms import Action
from casedesk_proxy.usage.cut import MAX_TEXT_BYTES, text_size

__all__ = ["main", "plan_apart", "plan_held", "serve"]

#: Its score for the kernel's choice of a process to kill when memory is short (oom_score_adj): it
#: is killed first.
_OOM_SCORE = "500"
#: Actions whose requests are also measured, for the length of their text.
_COUNTING = frozenset(
    {Action.COUNT_TOKENS, Action.COUNT_MESSAGES, Action.COUNT_RESPONSE, Action.COUNT_CHAT}
)


def main(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    serve(sock)


def serve(sock: socket.socket) -> None:
    """Plan requests until the other side has gone."""
    facts: Facts | None = None
    try:
        while True:
            kind, value, held = receive(sock)
            if kind is MessageKind.FACTS:
                facts = value
            else:
                assert facts is not None
                _answer(sock, facts, value, held.pop())
            del value, held
    except (Closed, BrokenPipeError, ConnectionError):
        return


def _answer(sock: socket.socket, facts: Facts, request: PlanRequest, held: HeldBody) -> None:
    def find_keeper(ident: str) -> Keeper | None:
        send(sock, MessageKind.FIND_KEEPER, pack(ident))
        keeper: Keeper | None = receive(sock)[1]
        return keeper

    try:
        written, bodies = plan_held(facts, request, held, find_keeper)
    except ProxyError as error:
        written, bodies = pack(PlanResult(error=error.with_traceback(None))), []
    except (Closed, ConnectionError):
        raise
    except Exception:
        written, bodies = pack(PlanResult(bug=traceback.format_exc())), []
    send(sock, MessageKind.RESULT, written, bodies)


def plan_held(
    facts: Facts, request: PlanRequest, held: HeldBody, find_keeper: Callable[[str], Keeper | None]
) -> tuple[bytes, list[HeldBody]]:
    """The result of `plan_apart`, ready to be sent. Raises a ProxyError."""
    short = AbridgedBody.of(held) if request.call.action not in _COUNTING else None
    if short is not None:
        # If this fails, the whole body is planned, which gives the right error.
        with contextlib.suppress(Altered, ProxyError):
            return _plan_abridged(facts, request, held, short, find_keeper)
        del short
    result, bodies = plan_apart(facts, request, held.read_all(), find_keeper)
    written, finished = pack(result), []
    while bodies:
        # One after the other: so at most one of them is in memory twice.
        finished.append(HeldBody.create(bodies.pop(0)))
    return written, finished


def _plan_abridged(
    facts: Facts,
    request: PlanRequest,
    held: HeldBody,
    short: AbridgedBody,
    find_keeper: Callable[[str], Keeper | None],
) -> tuple[bytes, list[HeldBody]]:
    """Raises Altered, and a ProxyError."""
    result, bodies = plan_apart(facts, request, short.raw, find_keeper, short)
    if (plan := result.plan) is None:
        raise Altered  # Messages about files name places in the whole body.
    if held.size <= MAX_TEXT_BYTES:
        result = replace(result, text_size=text_size(held.read_all()))
    written = pack(result)
    if short.is_in(written):
        raise Altered
    spoken, routes = request.call.surface, plan.routes
    as_sent = {at for name, at in result.bodies.items() if routes[name].dialect is spoken}
    return written, [short.write(one, as_sent=at in as_sent) for at, one in enumerate(bodies)]


def plan_apart(
    facts: Facts,
    request: PlanRequest,
    raw: bytes,
    find_keeper: Callable[[str], Keeper | None],
    marked: Marked | None = None,
) -> tuple[PlanResult, list[bytes]]:
    """The plan, and those bodies of its routes that are not the client's own. ``marked``: see
    PlanInputs. Raises a ClientFault."""
    deployment = facts.snapshot.deployments[request.deployment]
    deployment = deployment.for_key(request.only, request.parameters)
    if references := deployment.find_references(request.call, raw):
        return PlanResult(references=references), []
    inputs = PlanInputs(
        request.call, request.headers, raw, request.request_id, facts.reported, facts.nodes,
        refused=request.refused, taken=request.taken, without=request.without, now=request.now,
        find_keeper=find_keeper, marked=marked,
    )  # fmt: skip
    plan = plan_request(facts.snapshot, deployment, inputs)
    size = len(raw) if marked is None else marked.size
    return _take_apart(plan, raw, asks=size <= MAX_TEXT_BYTES)


def _take_apart(plan: Plan, raw: bytes, *, asks: bool) -> tuple[PlanResult, list[bytes]]:
    """Bodies are sent beside the plan, so the plan is sent without them, and without the deployment
    and the nodes, which the daemon has. ``asks``: the size of the prompt is asked for in a side
    request. A prompt that is larger than any usual context would be counted too late, and counting
    would need as much memory."""
    places: dict[int, int] = {id(raw): -1}
    bodies: list[bytes] = []

    def place(body: bytes) -> int:
        at = places.setdefault(id(body), len(bodies))
        if at == len(bodies):
            bodies.append(body)
        return at

    by_node, side_bodies, routes = {}, {}, {}
    bare = {}
    for name, route in plan.routes.items():
        by_node[name] = place(route.body)
        side_request = route.side_request if asks else None
        if side_request is not None:
            side_bodies[name] = place(side_request.body)
            side_request = replace(side_request, body=b"")
        if id(route) not in bare:
            bare[id(route)] = replace(route, body=b"", head_templates={}, side_request=side_request)
        routes[name] = bare[id(route)]
    result = PlanResult(replace(plan, routes=routes), by_node, side_bodies, text_size(raw))
    return result, bodies
