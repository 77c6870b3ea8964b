"""A planner: it plans one request after another, until the daemon has gone.

python -m casedesk_proxy.planners.process DESCRIPTOR

Signals to the group are the daemon's affair. It is the first that goes where memory is short.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.fastpath.switches import VARIABLE, read_plain, turn_off
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import Asked, Closed, Facts, Letter, Made, pack, receive, send
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInput
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.usage.cut import text_size

__all__ = ["main", "plan_apart", "serve"]

#: Of the kernel's scale for whom it kills first where memory is short.
_OOM_SCORE = "500"


def main(descriptor: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    turn_off(read_plain(os.environ.get(VARIABLE, "")))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    # What a request leaves is freed by counts; a look at a million parts of one takes its time.
    gc.disable()
    serve(socket.socket(fileno=descriptor))


def serve(sock: socket.socket) -> None:
    """Until the other side has gone."""
    facts: Facts | None = None
    try:
        while True:
            letter, value, held = receive(sock)
            if letter is Letter.FACTS:
                facts = value
            else:
                assert facts is not None
                _answer(sock, facts, value, held.pop())
            del value, held
    except (Closed, BrokenPipeError, ConnectionError):
        return


def _answer(sock: socket.socket, facts: Facts, asked: Asked, held: HeldBody) -> None:
    def find_keeper(ident: str) -> Keeper | None:
        send(sock, Letter.FIND_KEEPER, pack(ident))
        keeper: Keeper | None = receive(sock)[1]
        return keeper

    try:
        made, bodies = plan_apart(facts, asked, held.read_all(), find_keeper)
    except ProxyError as error:
        made, bodies = Made(error=error.with_traceback(None)), []
    except (Closed, ConnectionError):
        raise
    except Exception:
        made, bodies = Made(bug=traceback.format_exc()), []
    written = pack(made)
    finished = []
    while bodies:
        # One after the other: no more than one of them is there twice.
        finished.append(HeldBody.create(bodies.pop(0)))
    send(sock, Letter.MADE, written, finished)


def plan_apart(
    facts: Facts, asked: Asked, raw: bytes, find_keeper: Callable[[str], Keeper | None]
) -> tuple[Made, list[bytes]]:
    """The plan, and those bodies of its routes that are not the client's own. Raises a
    ClientFault."""
    deployment = facts.snapshot.deployments[asked.deployment]
    deployment = deployment.for_key(asked.only, asked.parameters)
    if references := deployment.find_references(asked.call, raw):
        return Made(references=references), []
    ask = PlanInput(
        asked.call, asked.headers, raw, asked.request_id, facts.reported, facts.nodes,
        refused=asked.refused, taken=asked.taken, without=asked.without, now=asked.now,
        find_keeper=find_keeper,
    )  # fmt: skip
    plan = plan_request(facts.snapshot, deployment, ask)
    return _take_apart(plan, raw)


def _take_apart(plan: Plan, raw: bytes) -> tuple[Made, list[bytes]]:
    """As bodies are passed on beside the plan, it has none; nor the deployment and the nodes, which
    the daemon has with all that belongs to them."""
    places: dict[int, int] = {id(raw): -1}
    bodies: list[bytes] = []
    by_node, routes = {}, {}
    bare = {}
    for name, route in plan.routes.items():
        place = places.setdefault(id(route.body), len(bodies))
        if place == len(bodies):
            bodies.append(route.body)
        by_node[name] = place
        if id(route) not in bare:
            bare[id(route)] = replace(route, body=b"", head_templates={})
        routes[name] = bare[id(route)]
    made = Made(replace(plan, routes=routes), by_node, text_size(raw))
    return made, bodies


if __name__ == "__main__":
    main(int(sys.argv[1]))
