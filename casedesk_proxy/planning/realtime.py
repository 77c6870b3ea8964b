"""A WebSocket conversation: which node gets the client's handshake."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.catalog.lists import offered
from casedesk_proxy.catalog.names import resolve
from casedesk_proxy.errors import BadRequest, NotFound, Unsupported
from casedesk_proxy.planning.plan import Plan, forwarded_headers
from casedesk_proxy.planning.route import PlanInput, Route
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.realtime import (
    handshake_headers,
    named_model,
    rename_in_query,
    require_upgrade,
)
from casedesk_proxy.terms import Dialect, Framing, Target

__all__ = ["plan_realtime"]

_PATH = "/v1/realtime"
_MAX_LISTED_NAMES = 5


def plan_realtime(snapshot: Snapshot, deployment: DeploymentSpec, ask: PlanInput) -> Plan:
    """Raises a ClientFault."""
    require_upgrade(ask.headers)
    nodes = {name: ask.nodes.get(name) or snapshot.nodes[name] for name in deployment.rules.nodes}
    having = tuple(name for name, node in nodes.items() if node.engine.has_realtime)
    rules = replace(deployment.rules, nodes=having)
    asked = named_model(ask.call.query) or _sole(offered(rules, ask.reported), ask)
    target = resolve(asked, deployment.rules, ask.reported)
    holders = tuple(nodes[name] for name in target.nodes if name in having)
    if not holders:
        raise _unsupported(target, [nodes[name] for name in target.nodes])
    query = ask.call.query
    if target.model != asked:
        query = rename_in_query(query, target.model)
    route = Route(
        dialect=Dialect.OPENAI,
        target=f"{_PATH}?{query}" if query else _PATH,
        headers=(*forwarded_headers(ask.headers), *handshake_headers(ask.headers)),
        request_id=ask.request_id,
        body=b"",
        method="GET",
    )
    names = tuple(node.name for node in holders)
    action = ask.call.action.value
    return Plan(
        deployment=deployment,
        asked=asked,
        model=target.model,
        nodes=holders,
        routes=dict.fromkeys(names, route),
        framing=Framing.UNARY,
        demand=Demand(deployment.policy, names, frozenset(), b"", target.model, action),
        upgrades=True,
    )


def _sole(names: tuple[str, ...], ask: PlanInput) -> str:
    if len(names) == 1:
        return names[0]
    if not names and not ask.reported:
        raise NotFound(
            "model: name it in the query (?model=NAME); no node has listed its models yet"
        )
    served = f"; available: {', '.join(names[:_MAX_LISTED_NAMES])}" if names else ""
    raise BadRequest(f"model: name it in the query, ?model=NAME{served}")


def _unsupported(target: Target, holders: list[NodeSpec]) -> Unsupported:
    named = ", ".join(f"{one.name} runs {one.engine.title}" for one in holders)
    return Unsupported(
        f"unsupported_path: no node with the model {target.asked!r} serves {_PATH}: {named};"
        " use a model at another engine",
        code="unsupported_path",
    )
