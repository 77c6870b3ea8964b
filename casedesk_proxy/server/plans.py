"""The plan of a request, by its action; a planner makes that of a large one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from casedesk_proxy.errors import ClientFault, NotFound
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.pool import Planners
from casedesk_proxy.planning.held import HeldRoute
from casedesk_proxy.planning.kept import plan_kept
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.realtime import plan_realtime
from casedesk_proxy.planning.route import ModelPlacement, PlacementKey, PlanInputs, find_none
from casedesk_proxy.planning.spares import is_as_good, may_have_spares, without_nodes_of
from casedesk_proxy.planning.steering import plan_steering
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.server.keeping import Keeping
from casedesk_proxy.server.pending import PendingRequest
from casedesk_proxy.server.steering import Steering
from casedesk_proxy.server.waits import Waits
from casedesk_proxy.terms import Action, Dialect
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["PlanMaker"]

_MAX_PLACEMENTS = 512
#: Also where their body is apart.
_PLANNED_HERE = frozenset({Action.STEER_CHAT, Action.REALTIME})


def _remember_placements() -> Memory[PlacementKey, ModelPlacement]:
    return Memory(_MAX_PLACEMENTS if is_on(Trick.ADMISSION) else 0)


@dataclass(frozen=True, slots=True)
class PlanMaker:
    memory: ControlMemory
    metadata: Metadata
    keeping: Keeping
    steering: Steering
    waits: Waits
    planners: Planners | None
    #: By the names of a node and of a model: whether the node could serve a request for it now.
    is_available: Callable[[str, str], bool]
    #: For requests whose heads differ, for example by a trace's id.
    shared_placements: Memory[PlacementKey, ModelPlacement] = field(
        default_factory=_remember_placements, repr=False
    )

    async def make(self, pending: PendingRequest) -> Plan:
        """Raises a ProxyError; `NamesFiles` for a held body that names stored files."""
        admitted, raw = pending.admitted, pending.raw
        call = admitted.call
        if isinstance(raw, HeldBody) and (call.kept or call.action in _PLANNED_HERE):
            # Such requests are few and small in practice.
            pending.raw = raw = raw.read_all()
        if call.kept:
            inputs = self._inputs_about(pending, b"", self.keeping.keepers(admitted))
            return plan_kept(pending.snapshot, admitted.deployment, inputs)
        if isinstance(raw, bytes) and call.action is Action.STEER_CHAT:
            inputs = self._inputs_about(pending, raw, self.steering.finder(admitted))
            return plan_steering(pending.snapshot, admitted.deployment, inputs)
        has_asked_anew = False
        while True:
            try:
                return await self._plan(pending)
            except NotFound:
                # The model may be new.
                if has_asked_anew or not await self._learn_models():
                    raise  # It would be refused again.
                has_asked_anew = True

    def is_crowded(self, plan: Plan, action: Action) -> bool:
        """Whether none of its nodes could serve the request now, but others may."""
        return may_have_spares(plan, action) and not self._has_room(plan)

    async def spread(self, pending: PendingRequest, crowded: Plan) -> Plan:
        """A plan for other nodes, if some could serve the request now and lose nothing of it; else
        the same plan."""
        try:
            plan = await self._plan(pending, crowded)
        except ClientFault:
            return crowded
        return plan if is_as_good(plan) and self._has_room(plan) else crowded

    def _has_room(self, plan: Plan) -> bool:
        return any(self.is_available(node.name, plan.model) for node in plan.nodes)

    async def _learn_models(self) -> bool:
        """Ask the nodes for their models; return whether those have changed."""
        reported, nodes = self.metadata.reported, self.metadata.nodes
        await self.metadata.refresh(self.waits.model_refresh_s)
        return self.metadata.reported is not reported or self.metadata.nodes is not nodes

    async def _plan(self, pending: PendingRequest, crowded: Plan | None = None) -> Plan:
        """Plan here, or in a planner if the body is held apart. ``crowded``: see `_inputs`."""
        admitted, snapshot, raw = pending.admitted, pending.snapshot, pending.raw
        if isinstance(raw, bytes):
            make = plan_realtime if admitted.call.action is Action.REALTIME else plan_request
            return make(snapshot, admitted.deployment, self._inputs(pending, raw, crowded))
        assert self.planners is not None, "nothing is held apart without them"
        inputs = self._inputs(pending, b"", crowded)
        plan, size = await self.planners.plan(snapshot, admitted.deployment, inputs, raw)
        pending.exchange.text_size = size
        pending.request.count(_count_bytes(plan, raw))
        return plan

    def _inputs(self, pending: PendingRequest, raw: bytes, crowded: Plan | None) -> PlanInputs:
        """``crowded``: the plan whose nodes are excluded."""
        admitted, exchange = pending.admitted, pending.exchange
        is_kept = admitted.call.surface is Dialect.RESPONSES
        keepers = self.keeping.keepers(admitted) if is_kept else find_none
        # By position: keyword arguments of so many take three times as long.
        inputs = PlanInputs(
            admitted.call, pending.request.head.headers, raw, exchange.request_id,
            self.metadata.reported, self.metadata.nodes, admitted.placements,
            self.memory.refused, self.memory.taken, exchange.attempts.without,
            time.time(), keepers, pending.form, self.shared_placements,
        )  # fmt: skip
        return inputs if crowded is None else without_nodes_of(inputs, crowded)

    def _inputs_about(
        self, pending: PendingRequest, raw: bytes, find_keeper: Callable[[str], Keeper | None]
    ) -> PlanInputs:
        """For a request about what one node has."""
        return PlanInputs(
            pending.admitted.call, pending.request.head.headers, raw, pending.exchange.request_id,
            self.metadata.reported, self.metadata.nodes, find_keeper=find_keeper,
        )  # fmt: skip


def _count_bytes(plan: Plan, raw: HeldBody) -> int:
    """The size of the bodies that were made."""
    made = {
        id(content): content.size
        for route in plan.routes.values()
        if isinstance(route, HeldRoute)
        for content in (route.content, route.side_content)
        if content is not None
    }
    made.pop(id(raw), None)
    return sum(made.values())
