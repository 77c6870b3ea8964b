"""Requests for a path that not every node has: which nodes have it, and as what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.engines.paths import nearest_path
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.planning.route import PlanInput, Route, UploadRoute
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.form_changes import FormEditor
from casedesk_proxy.surfaces.parameters import Parameters
from casedesk_proxy.terms import Action, Call, Target

__all__ = [
    "as_upload",
    "can_steer",
    "find_editor",
    "keep_having",
    "node_path",
    "refuse_path",
    "route_paths",
]

#: Nodes named in one message.
_MAX_NAMED_NODES = 5


def node_path(call: Call, node: NodeSpec) -> str:
    """The path to ask of it: what was asked for, or what its engine calls the same; empty where it
    has no such thing."""
    return nearest_path(node.engine.paths, call.path, call.action)


def can_steer(node: NodeSpec) -> bool:
    """Whether a chat that it runs can be steered."""
    return any(one.action is Action.STEER_CHAT for one in node.engine.paths)


def keep_having(rules: ModelRules, call: Call, find: Callable[[str], NodeSpec]) -> ModelRules:
    """The rules as if there were only the nodes that have the path."""
    having = tuple(name for name in rules.nodes if node_path(call, find(name)))
    return replace(rules, nodes=having)


def refuse_path(call: Call, target: Target, holders: Sequence[NodeSpec]) -> Unsupported:
    """``holders`` have the model, and none of them the path."""
    named = ", ".join(f"{one.name} runs {one.engine.title}" for one in holders[:_MAX_NAMED_NODES])
    more = ", …" if len(holders) > _MAX_NAMED_NODES else ""
    return Unsupported(
        f"unsupported_path: no node with the model {target.asked!r} serves {call.path}:"
        f" {named}{more}; use a model at another engine",
        code="unsupported_path",
    )


def as_upload(route: Route, ask: PlanInput, parameters: Parameters | None) -> Route:
    """The same where ``ask`` holds all of its body, with its fields changed where it is a form.
    Raises BadRequest."""
    form = ask.form
    if form is None:
        return route
    change = parameters.for_form(ask.call) if parameters is not None else None
    editor = None if change is None else FormEditor(form.boundary, change)
    body = route.body if editor is None else editor.edit(route.body)
    if form.is_whole:
        return route if editor is None else replace(route, body=body + editor.finish())
    is_length_known = form.length is not None and editor is None
    length = (form.length or 0) + len(body) - len(ask.raw) if is_length_known else None
    return UploadRoute(
        route.dialect, route.target, route.headers, route.request_id, body, length=length,
        head_templates=route.head_templates, editor=editor,
    )  # fmt: skip


def find_editor(routes: Mapping[str, Route]) -> FormEditor | None:
    """What changes the rest of a form whose beginning goes by ``routes``."""
    found = (one.editor for one in routes.values() if isinstance(one, UploadRoute))
    return next(found, None)


def route_paths(route: Route, call: Call, nodes: Sequence[NodeSpec]) -> dict[str, Route]:
    """A route for each node, to its own path."""
    query = f"?{call.query}" if call.query else ""
    return {node.name: replace(route, target=node_path(call, node) + query) for node in nodes}
