"""Nodes of another protocol, for a request whose own nodes are all busy or down: a request that can
be translated without loss does not wait while such a node is idle."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import PlanInputs, no_placements
from casedesk_proxy.terms import Action

__all__ = ["is_as_good", "may_have_spares", "without_nodes_of"]

#: Actions that can be translated. A node may keep something of a Responses request.
_ACTIONS = frozenset({Action.GENERATE, Action.STREAM_GENERATE, Action.MESSAGES})


def may_have_spares(plan: Plan, action: Action) -> bool:
    """Whether to look for spares: its nodes get the client's own request, and there are others."""
    if action not in _ACTIONS or len(plan.nodes) >= len(plan.deployment.rules.nodes):
        return False
    return not any(route.translator for route in plan.routes.values())


def without_nodes_of(inputs: PlanInputs, plan: Plan) -> PlanInputs:
    """The same request, as if the nodes of ``plan`` did not have the model."""
    reported = {**inputs.reported, **{node.name: () for node in plan.nodes}}
    return replace(
        inputs, reported=reported, placements=no_placements(), shared_placements=Memory(0)
    )


def is_as_good(plan: Plan) -> bool:
    """Whether nothing is lost by it."""
    return plan.answer is None and not plan.dropped
