"""The plan of a request, by what it asks for; that of a large one made by a planner beside us."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from casedesk_proxy.errors import ClientFault, NotFound
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.pool import Planners
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.held import HeldRoute
from casedesk_proxy.planning.kept import plan_kept
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.realtime import plan_realtime
from casedesk_proxy.planning.route import Asked, ModelPlacement, PlanInput, find_none
from casedesk_proxy.planning.spares import ask_others, is_as_good, may_have_spares
from casedesk_proxy.planning.steering import plan_steering
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.keeping import Keeping
from casedesk_proxy.server.steering import Steering
from casedesk_proxy.server.waits import Waits
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.forms import FormBeginning
from casedesk_proxy.terms import Action, Dialect
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["PlanMaker"]

_MAX_PLACES = 512


def _remember_places() -> Memory[Asked, ModelPlacement]:
    return Memory(_MAX_PLACES if is_on(Trick.ADMISSION) else 0)


@dataclass(frozen=True, slots=True)
class PlanMaker:
    memory: ControlMemory
    metadata: Metadata
    keeping: Keeping
    steering: Steering
    waits: Waits
    planners: Planners | None
    #: By the names of a node and of a model: whether it could have a request of it now.
    is_available: Callable[[str, str], bool]
    #: For requests whose heads differ, by a trace's id, say.
    places: Memory[Asked, ModelPlacement] = field(default_factory=_remember_places, repr=False)

    async def make(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        snapshot: Snapshot,
        raw: bytes | HeldBody,
        form: FormBeginning | None,
    ) -> Plan:
        """Raises a ProxyError; `NamesFiles` for a body apart that names stored ones."""
        action = admitted.call.action
        is_special = admitted.call.kept or action in (Action.STEER_CHAT, Action.REALTIME)
        if isinstance(raw, HeldBody) and is_special:
            raw = raw.read_all()  # Few, and of no size where somebody means them.
        if admitted.call.kept:
            keepers = self.keeping.keepers(admitted)
            ask = self._ask(request, exchange, admitted, b"", keepers)
            return plan_kept(snapshot, admitted.deployment, ask)
        if isinstance(raw, bytes) and action is Action.STEER_CHAT:
            finder = self.steering.finder(admitted)
            ask = self._ask(request, exchange, admitted, raw, finder)
            return plan_steering(snapshot, admitted.deployment, ask)
        has_asked_anew = False
        while True:
            try:
                if isinstance(raw, bytes):
                    return self._plan(request, exchange, admitted, snapshot, raw, form)
                return await self._plan_apart(request, exchange, admitted, snapshot, raw, form)
            except NotFound:
                # Perhaps the model was pulled a moment ago.
                if has_asked_anew or not await self._learn_models():
                    raise  # It would be refused again.
                has_asked_anew = True

    def is_crowded(self, plan: Plan, action: Action) -> bool:
        """Whether none of its nodes could have the request now, and others perhaps could."""
        return may_have_spares(plan, action) and not self._has_room(plan)

    async def spread(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        snapshot: Snapshot,
        raw: bytes | HeldBody,
        crowded: Plan,
    ) -> Plan:
        """Another one, for nodes that could have it now and lose nothing; else the same."""
        try:
            if isinstance(raw, bytes):
                plan = self._plan(request, exchange, admitted, snapshot, raw, None, crowded)
            else:
                plan = await self._plan_apart(
                    request, exchange, admitted, snapshot, raw, None, crowded
                )
        except ClientFault:
            return crowded
        return plan if is_as_good(plan) and self._has_room(plan) else crowded

    def _has_room(self, plan: Plan) -> bool:
        return any(self.is_available(node.name, plan.model) for node in plan.nodes)

    async def _learn_models(self) -> bool:
        """Ask the nodes what they serve; returns whether that has changed."""
        reported, nodes = self.metadata.reported, self.metadata.nodes
        await self.metadata.refresh(self.waits.model_refresh_s)
        return self.metadata.reported is not reported or self.metadata.nodes is not nodes

    def _plan(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        snapshot: Snapshot,
        raw: bytes,
        form: FormBeginning | None,
        crowded: Plan | None = None,
    ) -> Plan:
        """``crowded``: see `_given`."""
        given = self._given(request, exchange, admitted, raw, form, crowded)
        make = plan_realtime if admitted.call.action is Action.REALTIME else plan_request
        return make(snapshot, admitted.deployment, given)

    async def _plan_apart(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        snapshot: Snapshot,
        raw: HeldBody,
        form: FormBeginning | None,
        crowded: Plan | None = None,
    ) -> Plan:
        assert self.planners is not None, "nothing is held apart without them"
        given = self._given(request, exchange, admitted, b"", form, crowded)
        plan, size = await self.planners.plan(snapshot, admitted.deployment, given, raw)
        exchange.text_size = size
        request.hold_more(_count_bytes(plan, raw))
        return plan

    def _given(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        raw: bytes,
        form: FormBeginning | None,
        crowded: Plan | None,
    ) -> PlanInput:
        """``crowded``: the plan whose nodes are not to be considered."""
        is_kept = admitted.call.surface is Dialect.RESPONSES
        keepers = self.keeping.keepers(admitted) if is_kept else find_none
        given = PlanInput(
            admitted.call, request.head.headers, raw,
            exchange.request_id, self.metadata.reported, self.metadata.nodes, admitted.placements,
            self.memory.refused, self.memory.taken, exchange.attempts.without, time.time(),
            keepers, form, self.places,
        )  # fmt: skip
        return given if crowded is None else ask_others(given, crowded)

    def _ask(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        raw: bytes,
        find_keeper: Callable[[str], Keeper | None],
    ) -> PlanInput:
        return PlanInput(
            admitted.call, request.head.headers, raw, exchange.request_id,
            self.metadata.reported, self.metadata.nodes, find_keeper=find_keeper,
        )  # fmt: skip


def _count_bytes(plan: Plan, raw: HeldBody) -> int:
    """Of the bodies that were made."""
    made = {
        id(content): content.size
        for route in plan.routes.values()
        if isinstance(route, HeldRoute)
        for content in (route.content, route.question_content)
        if content is not None
    }
    made.pop(id(raw), None)
    return sum(made.values())
