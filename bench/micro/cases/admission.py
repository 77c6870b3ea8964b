"""pools: slots are taken and returned at four nodes.

Free: a request gets a slot and returns it. Full: 64 requests wait for full nodes; one slot is
returned, goes to the next request, and another request joins the queue.
"""

from __future__ import annotations

from bench.micro.work import Case, Work
from casedesk_proxy.pools.admission import Admission, Ticket
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.pools.policies import Demand

_NODES = ("gpu0", "gpu1", "gpu2", "gpu3")
_WISH = Demand("least-streams", _NODES, model="tiny")
_LIMIT = 16
_WAITING = 64
_TIMES = 50


def _open() -> Admission:
    admission = Admission()
    for name in _NODES:
        admission.states[name] = NodeState(name, limit=_LIMIT)
    return admission


def _ticket(number: int) -> Ticket:
    return Ticket("desk", f"t{number % 8}", _WISH)


def _fill() -> tuple[Admission, list[Ticket]]:
    admission = _open()
    tickets = [_ticket(number) for number in range(len(_NODES) * _LIMIT + _WAITING)]
    for one in tickets:
        admission.enqueue(one, 0.0, 2 * _WAITING)
    return admission, tickets[: len(_NODES) * _LIMIT]


def _run_free(admission: Admission) -> Admission:
    for number in range(_TIMES):
        ticket = _ticket(number)
        admission.enqueue(ticket, float(number), _WAITING)
        assert ticket.slot is not None
        admission.release(ticket.slot, float(number))
    return admission


def _check_free(admission: Admission) -> None:
    states = admission.states.values()
    assert sum(state.served for state in states) == _TIMES
    assert all(state.in_flight == 0 for state in states)
    assert not admission.has_waiting


def _run_full(made: tuple[Admission, list[Ticket]]) -> tuple[Admission, list[Ticket]]:
    admission, holders = made
    served = []
    for number in range(_TIMES):
        slot = holders[number].slot
        assert slot is not None
        served += admission.release(slot, float(number))
        admission.enqueue(_ticket(number), float(number), 2 * _WAITING)
    return admission, served


def _check_full(result: tuple[Admission, list[Ticket]]) -> None:
    admission, served = result
    assert len(served) == _TIMES
    assert all(one.slot is not None for one in served)
    assert admission.waiting("desk") == _WAITING
    assert all(state.in_flight == _LIMIT for state in admission.states.values())


CASES = (
    Case("pools/admission free", "slot taken and given back",
         lambda: Work(_run_free, _check_free, _TIMES, _open)),
    Case("pools/admission full", "slot passed on, 64 waiting",
         lambda: Work(_run_full, _check_full, _TIMES, _fill)),
)  # fmt: skip
