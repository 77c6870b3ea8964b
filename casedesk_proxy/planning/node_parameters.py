"""Changes that nodes make in the requests that go to them.

Nodes without parameters share one body. A node with parameters gets a body of its own, made when
the request is planned: the client must get a failure before any node is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from casedesk_proxy import jsonio
from casedesk_proxy.planning.route import Route
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.parameter_changes import change_body
from casedesk_proxy.terms import Call

__all__ = ["change_for_nodes"]


def change_for_nodes(
    call: Call, nodes: Sequence[NodeSpec], routes: Mapping[str, Route]
) -> Mapping[str, Route]:
    """The routes, with changed bodies for nodes with parameters. Raises BadRequest, naming the
    field that prevents a change."""
    changed: dict[str, Route] = {}
    for node in nodes:
        route, rules = routes[node.name], node.parameters
        change = rules.for_dialect(call, route.dialect) if rules is not None else None
        if change is not None:
            body = change_body(change, route.body, jsonio.loads(route.body))
            changed[node.name] = replace(route, body=body)
    return {**routes, **changed} if changed else routes
