"""Requests for a path that not every node has: which nodes have it, and under which name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.engines.paths import nearest_path
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.planning.route import PlanInputs, Route, UploadRoute
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.form_changes import FormEditor
from casedesk_proxy.surfaces.parameters import Parameters
from casedesk_proxy.terms import Action, Call, ResolvedModel

__all__ = [
    "as_upload",
    "can_steer",
    "find_editor",
    "keep_having",
    "node_path",
    "refuse_path",
    "route_paths",
]

#: How many nodes one message names.
_MAX_NAMED_NODES = 5


def node_path(call: Call, node: NodeSpec) -> str:
    """The path at the node: the requested one, or its engine's path for the same; empty if it has
    none."""
    return nearest_path(node.engine.paths, call.path, call.action)


def can_steer(node: NodeSpec) -> bool:
    """Whether a chat that runs there can be steered."""
    return _steers_chats(node.engine)


@cache
def _steers_chats(engine: EngineSpec) -> bool:
    return any(one.action is Action.STEER_CHAT for one in engine.paths)


def keep_having(rules: ModelRules, call: Call, find: Callable[[str], NodeSpec]) -> ModelRules:
    """The rules for only those nodes that have the path."""
    having = tuple(name for name in rules.nodes if node_path(call, find(name)))
    return replace(rules, nodes=having)


def refuse_path(call: Call, resolved: ResolvedModel, holders: Sequence[NodeSpec]) -> Unsupported:
    """The nodes ``holders`` have the model, but none of them has the path."""
    named = ", ".join(f"{one.name} runs {one.engine.title}" for one in holders[:_MAX_NAMED_NODES])
    more = ", …" if len(holders) > _MAX_NAMED_NODES else ""
    return Unsupported(
        f"unsupported_path: no node with the model {resolved.asked!r} serves {call.path}:"
        f" {named}{more}; use a model at another engine",
        code="unsupported_path",
    )


def as_upload(route: Route, inputs: PlanInputs, parameters: Parameters | None) -> Route:
    """The route with its body's fields changed, if it is a form and ``inputs`` contains all of it.
    Raises BadRequest."""
    form = inputs.form
    if form is None:
        return route
    change = parameters.for_form(inputs.call) if parameters is not None else None
    editor = None if change is None else FormEditor(form.boundary, change)
    body = route.body if editor is None else editor.edit(route.body)
    if form.is_whole:
        return route if editor is None else replace(route, body=body + editor.finish())
    is_length_known = form.length is not None and editor is None
    length = (form.length or 0) + len(body) - len(inputs.raw) if is_length_known else None
    return UploadRoute(
        route.dialect, route.target, route.headers, route.request_id, body, length=length,
        head_templates=route.head_templates, editor=editor,
    )  # fmt: skip


def find_editor(routes: Mapping[str, Route]) -> FormEditor | None:
    """What changes the rest of a form whose beginning is in ``routes``."""
    found = (one.editor for one in routes.values() if isinstance(one, UploadRoute))
    return next(found, None)


def route_paths(route: Route, call: Call, nodes: Sequence[NodeSpec]) -> dict[str, Route]:
    """A route for each node, with the node's own path."""
    query = f"?{call.query}" if call.query else ""
    return {node.name: replace(route, target=node_path(call, node) + query) for node in nodes}
