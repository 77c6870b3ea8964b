"""A WebSocket conversation: which node gets the client's handshake."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.catalog.lists import offered
from casedesk_proxy.catalog.names import resolve
from casedesk_proxy.errors import BadRequest, NotFound, Unsupported
from casedesk_proxy.planning.plan import Plan, forwarded_headers
from casedesk_proxy.planning.route import PlanInputs, Route
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.realtime import (
    handshake_headers,
    named_model,
    rename_in_query,
    require_upgrade,
)
from casedesk_proxy.terms import Dialect, Framing, ResolvedModel

__all__ = ["plan_realtime"]

_PATH = "/v1/realtime"
_MAX_LISTED_NAMES = 5


def plan_realtime(snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs) -> Plan:
    """Raises a ClientFault."""
    require_upgrade(inputs.headers)
    nodes = {
        name: inputs.nodes.get(name) or snapshot.nodes[name] for name in deployment.rules.nodes
    }
    having = tuple(name for name, node in nodes.items() if node.engine.has_realtime)
    rules = replace(deployment.rules, nodes=having)
    asked = named_model(inputs.call.query) or _sole(offered(rules, inputs.reported), inputs)
    resolved = resolve(asked, deployment.rules, inputs.reported)
    holders = tuple(nodes[name] for name in resolved.nodes if name in having)
    if not holders:
        raise _unsupported(resolved, [nodes[name] for name in resolved.nodes])
    query = inputs.call.query
    if resolved.model != asked:
        query = rename_in_query(query, resolved.model)
    route = Route(
        dialect=Dialect.OPENAI,
        target=f"{_PATH}?{query}" if query else _PATH,
        headers=(*forwarded_headers(inputs.headers), *handshake_headers(inputs.headers)),
        request_id=inputs.request_id,
        body=b"",
        method="GET",
    )
    names = tuple(node.name for node in holders)
    action = inputs.call.action.value
    return Plan(
        deployment=deployment,
        asked=asked,
        model=resolved.model,
        nodes=holders,
        routes=dict.fromkeys(names, route),
        framing=Framing.UNARY,
        demand=Demand(deployment.policy, names, frozenset(), b"", resolved.model, action),
        upgrades=True,
    )


def _sole(names: tuple[str, ...], inputs: PlanInputs) -> str:
    if len(names) == 1:
        return names[0]
    if not names and not inputs.reported:
        raise NotFound(
            "model: name it in the query (?model=NAME); no node has listed its models yet"
        )
    served = f"; available: {', '.join(names[:_MAX_LISTED_NAMES])}" if names else ""
    raise BadRequest(f"model: name it in the query, ?model=NAME{served}")


def _unsupported(resolved: ResolvedModel, holders: list[NodeSpec]) -> Unsupported:
    named = ", ".join(f"{one.name} runs {one.engine.title}" for one in holders)
    return Unsupported(
        f"unsupported_path: no node with the model {resolved.asked!r} serves {_PATH}: {named};"
        " use a model at another engine",
        code="unsupported_path",
    )
