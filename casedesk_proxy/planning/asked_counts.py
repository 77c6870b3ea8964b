"""Token counts of streams for which nodes are asked although the client did not ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casedesk_proxy.planning.route import PlanInputs, Route
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.bodies import RequestBody, ask_for_counts

__all__ = ["request_counts"]


def request_counts(
    inputs: PlanInputs, body: RequestBody, nodes: Sequence[NodeSpec], routes: Mapping[str, Route]
) -> Mapping[str, Route]:
    """If a client has not asked for the counts of its stream, ask for them at those nodes that
    report them only on request."""
    silent = [node.name for node in nodes if not node.engine.counts_streams]
    if not silent:
        return routes
    route = routes[silent[0]]
    counted = ask_for_counts(inputs.call, route.body, body.value)
    if counted is None:
        return routes
    asking = route.with_counts(counted)
    return {**routes, **dict.fromkeys(silent, asking)}
